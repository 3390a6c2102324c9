"""Folders in which one process at a time works; the lock ends with its process, however that ends."""

import contextlib
import errno
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from imavatar.errors import BusyError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

logger = logging.getLogger(__name__)

LOCK_FILE = ".lock"
LONGEST_RECORD = 4096
"""Bytes of a lock's file that are looked at."""
RECORD_SECONDS, RECORD_TRIES = 1.0, 20
"""How long, and how often, a lock's holder is looked for in its file."""
NO_LOCKS_HERE = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What file systems say that know no locks."""


@contextlib.contextmanager
def locked(file: Path, what: str) -> Iterator[None]:
    """Hold a lock while the block runs.

    The system releases it when the process ends, also by a kill, so that a dead process's lock is nobody's. The file
    stays where it is, empty: were it removed, two processes could hold two files of one name. Where the file system
    knows no locks, a warning says so, and nothing is held.

    Args:
        file: that stands for the lock; its folder must exist. `LOCK_FILE` in a folder for what is in it.
        what: is being done there, for the other process's message: "a training".

    Raises:
        BusyError: another process holds it; the message names that process, its host and what it does.
        OSError: the file cannot be made.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        if not _acquire(descriptor):
            raise BusyError(
                f"{file.parent}: {_holder(descriptor)} is working here; wait until it ends, or end it, and try again"
            )
        record = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "what": what,
            "command": Path(sys.argv[0]).name,
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        _write(descriptor, json.dumps(record).encode())
        try:
            yield
        finally:
            _write(descriptor, b"")
    finally:
        os.close(descriptor)


def _acquire(descriptor: int) -> bool:
    """Whether nobody else holds the lock; it is this process's then."""
    try:
        if fcntl is None:
            raise OSError(errno.ENOSYS, "no fcntl")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise
        logger.warning("locks are not known here (%s): see to it that one process at a time works here", error.strerror)
    return True


def _write(descriptor: int, record: bytes) -> None:
    """In place: the lock is the file's own, not its name's. A full disk takes the record from it, not the lock."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, record, 0)


def _holder(descriptor: int) -> str:
    """Who holds a lock, in words; its record may be a moment younger than the lock."""
    for _ in range(RECORD_TRIES):
        try:
            record = json.loads(os.pread(descriptor, LONGEST_RECORD, 0))
            process, host = int(record["process"]), str(record["host"])
            return f"{record['what']} (process {process} on {host}: {record['command']}, since {record['since']})"
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            time.sleep(RECORD_SECONDS / RECORD_TRIES)
    return "another process"
