"""Files that are replaced whole or not at all, also when the process is killed, the disk full or the power cut."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np

TEMPORARY_SUFFIX = ".tmp"
"""Last part of the names of files that are being written; hidden, and with the process in them."""
OLD_TEMPORARIES = ("latest.tmp",)
"""What version 0.1.0 left of a checkpoint's part when it was killed; numbered ones (`12.tmp`) beside."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path of a temporary file beside `path`, to be written; it takes the place of `path` at the end.

    It has the ending of `path`, by which some writers choose a format. Where the block raises, it is removed and `path`
    stays as it was.

    Raises:
        OSError: it cannot be written or moved, with the file's name.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file; its folder must exist.

    Raises:
        OSError: it cannot be written, with the file's name; what was there stays then.
    """
    with replacing(path) as temporary, naming(path):
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Put a text, as UTF-8, in the place of a file; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Put arrays by their names, compressed (`.npz`), in the place of a file; see `write_bytes`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def temporary_beside(path: Path) -> Path:
    """A name for what is to take the place of `path`, which no other process chooses."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}{path.suffix}")


def is_temporary(path: Path) -> bool:
    """Whether a file's name is one of `temporary_beside`, or of a checkpoint that version 0.1.0 was writing."""
    hidden = path.name.startswith(".") and TEMPORARY_SUFFIX in path.suffixes[-2:]
    return hidden or path.name in OLD_TEMPORARIES or (path.suffix == TEMPORARY_SUFFIX and path.stem.isdecimal())


def remove_temporaries(folder: Path) -> None:
    """Remove what killed processes left below a folder; only for who holds its lock, so that nobody is writing."""
    for path in [path for path in folder.rglob("*") if is_temporary(path) and path.is_file()]:
        path.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk, not merely in memory."""
    with naming(path), path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders, and some file systems no unreadable ones: the names follow soon anyway.
    try:
        os.fsync(descriptor)
    except OSError:
        return  # As above: of file systems that can't, a network's among them, no more can be had.
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's name into an OSError that has none, as those of `write` and `fsync` on an open file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
