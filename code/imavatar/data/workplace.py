"""Folders in which results are made: one process at a time, and without what killed ones have left; errors there."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from imavatar.errors import DataError
from imavatar.files.atomic import remove_temporaries
from imavatar.files.locks import LOCK_FILE, locked

UNFINISHED = re.compile(r"\..+\.[0-9]+-[0-9a-f]{8}\.tmp(\.[^.]+)?")
"""Names of `files.atomic.temporary_beside`, and of nothing that a user may have put there."""
OLD_PARTIALS = ".partial"
"""Ending of the files that version 0.1.0 was writing when it was killed."""


def subject_lock(data_folder: Path, subject: str) -> Path:
    """The lock on a subject. It lies beside the subject's folder, which may be replaced as a whole."""
    return Path(data_folder) / f".{subject}{LOCK_FILE}"


@contextlib.contextmanager
def write_errors(path: Path, advice: str = "free some space or choose another folder") -> Iterator[None]:
    """Tell users what to do where a file or folder cannot be written.

    Raises:
        DataError: in the place of an OSError inside.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); {advice}") from error


@contextlib.contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock, making its folder; see `files.locks.locked`.

    Raises:
        BusyError: another process holds it.
        DataError: the folder cannot be made or written.
    """
    with contextlib.ExitStack() as stack:
        with write_errors(lock.parent, "choose another folder, or give permission"):
            lock.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(lock, what))
        yield


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes were writing into a folder, which may hold anything; only for who has its lock."""
    if folder.is_dir():
        for path in [path for path in folder.iterdir() if UNFINISHED.fullmatch(path.name) and path.is_file()]:
            path.unlink(missing_ok=True)


def remove_all_leftovers(folder: Path) -> None:
    """The same for all that is below a folder that the project has made, and for what version 0.1.0 has left."""
    remove_temporaries(folder)
    for path in [path for path in folder.rglob(f"*{OLD_PARTIALS}") if path.is_file()]:
        path.unlink(missing_ok=True)
