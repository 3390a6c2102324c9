"""SHA-256 sums: of contents, of files, and one over all files of a folder."""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

CHUNK = 1 << 20
MOST_REMEMBERED = 4096
"""Files whose sums a process keeps."""


def sha256(content: bytes) -> str:
    """Of a content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Of a file, read now."""
    sum_ = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sum_.update(chunk)
    return sum_.hexdigest()


def remembered_sha256(path: Path) -> str:
    """Of a file; read once in a process, and again when its size or time has changed."""
    state = path.stat()
    return _remembered(path, state.st_size, state.st_mtime_ns, state.st_ino)


@functools.lru_cache(maxsize=MOST_REMEMBERED)
def _remembered(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    return sha256_of_file(path)


def digest(sums: Mapping[str, str]) -> str:
    """One sum over many files' names and sums: that of the text that `sha256sum` prints of them, in order of names."""
    return sha256("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())
