"""Files that take minutes to write, in folders that have no lock: what killed processes have left of them is removed.

Who writes such a file holds a lock on it itself. One that nobody holds is nobody's any more.
"""

import contextlib
import glob
import os
from collections.abc import Iterator
from pathlib import Path

from imavatar.files.atomic import TEMPORARY_SUFFIX, replacing

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None


@contextlib.contextmanager
def replacing_slowly(path: Path) -> Iterator[Path]:
    """As `files.atomic.replacing`, which see; before, the unfinished files of killed processes are removed.

    Raises:
        OSError: it cannot be written or moved, with the file's name.
    """
    # The second one is what version 0.1.0 left.
    names = (
        f".{glob.escape(path.name)}.*{TEMPORARY_SUFFIX}{path.suffix}",
        f".{glob.escape(path.stem)}.tmp{path.suffix}",
    )
    for left in [left for name in names for left in path.parent.glob(name)]:
        _remove_unheld(left)
    with replacing(path) as temporary:
        # Kept by who opens it for writing: it stays the same file.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield temporary
        finally:
            os.close(descriptor)


def _remove_unheld(path: Path) -> None:
    """Remove a file whose writer has ended; of one that cannot be known it stays."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)
