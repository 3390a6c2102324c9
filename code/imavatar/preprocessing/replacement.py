"""A subject's folder that is replaced as a whole, so that at every moment the old or the new one is there to be found.

The new one is made under a hidden name beside it. Its place is taken in two steps, and a process may be killed between
them: who comes next finds both folders and finishes what was begun.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from imavatar.files.atomic import sync_file, sync_folder
from imavatar.preprocessing.report import REPORT_NAME

OLD_SUFFIX = ".old"


def new_folder(target: Path) -> Path:
    """An empty folder beside `target` whose name says what it is to become.

    Raises:
        OSError: it cannot be made.
    """
    return Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))


def replace_folder(partial: Path, target: Path) -> None:
    """Put a finished folder, with its report, in the place of an older one, or of none.

    Raises:
        OSError: it cannot be moved; what was there is there again.
    """
    old = partial.with_name(partial.name + OLD_SUFFIX)
    partial.chmod(0o755)
    _sync(partial)
    if not target.exists():
        partial.rename(target)
        sync_folder(target.parent)
        return
    target.rename(old)
    try:
        partial.rename(target)
    except BaseException:
        if not target.exists():
            old.rename(target)
        raise
    sync_folder(target.parent)
    _discard(old, partial)


def discard_new(partial: Path) -> None:
    """Remove a new folder that is not to be used. Its report first: half a folder must not look like a whole one."""
    (partial / REPORT_NAME).unlink(missing_ok=True)
    shutil.rmtree(partial, ignore_errors=True)


def finish_replacements(target: Path) -> None:
    """Remove what killed processes have left of `target`, and finish their replacements; only under its lock.

    Raises:
        OSError: a folder cannot be moved.
    """
    for partial, old in _leftovers(target):
        if old.exists() and not target.exists():
            # It was killed between the two steps. The report is a new folder's last file, written before the first.
            (partial if (partial / REPORT_NAME).is_file() else old).rename(target)
            sync_folder(target.parent)
        discard_new(partial)
        if old.exists():
            _discard(old, partial)


def _leftovers(target: Path) -> list[tuple[Path, Path]]:
    """Names of new and old folders, of which one or both are there."""
    if not target.parent.is_dir():
        return []
    # The end that tempfile chooses; of a subject called "a.partial-b" the rest is not "a"'s.
    pattern = re.compile(rf"(\.{re.escape(target.name)}\.partial-[a-z0-9_]{{8}})(\{OLD_SUFFIX})?")
    found = {match[1] for path in target.parent.iterdir() if (match := pattern.fullmatch(path.name))}
    return [(target.with_name(name), target.with_name(name + OLD_SUFFIX)) for name in sorted(found)]


def _discard(old: Path, free_name: Path) -> None:
    """Remove a folder that has been replaced: under another name, since half of it must not be taken for the whole."""
    if not free_name.exists():
        old.rename(free_name)
        old = free_name
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Wait until a folder's files are on the disk: only then may what they replace be given up."""
    for root, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(root) / name)
        sync_folder(Path(root))
