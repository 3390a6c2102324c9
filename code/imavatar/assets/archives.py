"""Archives of packages: wheels, which are zip files, and source distributions, which are tar files."""

import contextlib
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[dict[str, Callable[[], bytes]]]:
    """Readers of all files of an archive, by their names in it; for the time of the block."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            names = [name for name in file.namelist() if not name.endswith("/")]
            yield {name: (lambda name=name: file.read(name)) for name in names}
        return
    with tarfile.open(path) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        yield {member.name: (lambda member=member: tar.extractfile(member).read()) for member in members}
