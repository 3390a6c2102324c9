"""Whether an asset's files are there and are what they should be: compared with their SHA-256 sums at each use."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imavatar.assets.catalogue import Asset, named
from imavatar.errors import AssetError
from imavatar.paths import ASSETS as ENVIRONMENT_VARIABLE
from imavatar.paths import assets_dir, command

CHUNK = 1 << 20
MOST_REMEMBERED = 4096
"""Files whose sums a process keeps."""
LISTING = ".files.json"
"""In an asset's folder: the names and sums of the files that belong there. Version 0.1.0 wrote none."""


@dataclass(frozen=True)
class Damage:
    """A file, or a folder as a whole, with another sum than expected."""

    file: str
    found: str
    expected: str


@dataclass(frozen=True)
class State:
    """How an asset's files were found; names are below the assets folder."""

    asset: Asset
    present: int = 0
    missing: tuple[str, ...] = ()
    damaged: tuple[Damage, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing or damaged."""
        return not self.missing and not self.damaged

    def __str__(self) -> str:
        if self.damaged and self.asset.folders and self.damaged[0].file == self.asset.target:
            return f"damaged: {self.asset.target} (in which of its files is not known)"
        if self.damaged:
            return f"damaged: {_first([damage.file for damage in self.damaged])}"
        if self.missing and not self.present:
            return "missing"
        if self.missing:
            return f"incomplete: without {_first(self.missing)}"
        return "whole"


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


def asset_path(name: str, folder: Path | None = None) -> Path:
    """File (or folder) of an asset, there or in `assets_dir()`, whose files have the sums that they should have.

    A process reads a file for that once, and again when its size or time has changed.

    Raises:
        AssetError: it has not been fetched, or a file is another one; the message says which and how to repair it.
    """
    asset, folder = named(name), folder or assets_dir()
    state = state_of(asset, folder, remembered_sha256)
    if not state.whole:
        raise AssetError(_complaint(state, folder))
    return folder / asset.target


def is_there(name: str) -> bool:
    """Whether anything of an asset is in `assets_dir()`, be it whole or damaged.

    Raises:
        AssetError: there is no such asset, or a file cannot be read.
    """
    return state_of(named(name), assets_dir(), remembered_sha256).present > 0


def asset_bytes(name: str) -> bytes:
    """Content of an asset of one file: what is returned is what was compared.

    Raises:
        AssetError: as `asset_path`.
    """
    path = asset_path(name)
    content = path.read_bytes()
    asset, found = named(name), sha256(content)
    expected = asset.sums[asset.target]
    if found != expected:  # replaced since asset_path looked
        raise AssetError(_damaged(asset, Damage(asset.target, found, expected), path.parent))
    return content


def state_of(asset: Asset, folder: Path, sum_of: Callable[[Path], str] = sha256_of_file) -> State:
    """Compare every file of an asset with its sum.

    Raises:
        AssetError: a file is there and cannot be read.
    """
    try:
        if not asset.folders:
            return _compared(asset, folder, asset.sums, sum_of)
        listing = read_listing(folder / asset.target)
        if digest(listing) == asset.digest:
            return _compared(asset, folder, {f"{asset.target}/{k}": own for k, own in listing.items()}, sum_of)
        return _by_digest(asset, folder, sum_of)
    except OSError as error:
        raise AssetError(
            f"{error.filename or folder}: cannot be read ({error.strerror}), expected a file of the asset "
            f"{asset.name}; give permission to read it"
        ) from error


def read_listing(folder: Path) -> dict[str, str]:
    """Sums of the files of a folder by their names, as `listing` wrote them; none where that is not to be read.

    It is believed where its digest is the one in the catalogue.
    """
    try:
        files = json.loads((folder / LISTING).read_text(encoding="utf-8"))["files"]
        return {str(name): str(own) for name, own in files.items()}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def listing(asset: Asset, sums: dict[str, str]) -> str:
    """The text of a folder's listing."""
    return json.dumps({"package": asset.package.requirement, "files": sums}, indent=0, sort_keys=True)


def _compared(asset: Asset, folder: Path, sums: dict[str, str], sum_of: Callable[[Path], str]) -> State:
    present = [file for file in sums if (folder / file).is_file()]
    found = {file: sum_of(folder / file) for file in present}
    return State(
        asset,
        len(present),
        missing=tuple(file for file in sums if file not in found),
        damaged=tuple(Damage(file, own, sums[file]) for file, own in found.items() if own != sums[file]),
    )


def _by_digest(asset: Asset, folder: Path, sum_of: Callable[[Path], str]) -> State:
    """Without a listing that can be believed, as version 0.1.0 left it: all files or none are as expected."""
    root = folder / asset.target
    paths = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    sums = {path.relative_to(root).as_posix(): sum_of(path) for path in paths}
    if not sums:
        return State(asset, missing=(asset.target,))
    found = digest(sums)
    damaged = () if found == asset.digest else (Damage(asset.target, found, asset.digest),)
    return State(asset, len(sums), damaged=damaged)


def _first(names: list[str] | tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _complaint(state: State, folder: Path) -> str:
    asset = state.asset
    if state.damaged:
        return _damaged(asset, state.damaged[0], folder)
    missing = folder / (state.missing[0] if state.present else asset.target)
    return (
        f"{missing} is missing ({asset.purpose}); run: {command('fetch_assets')} --only {asset.name}, or set "
        f"{ENVIRONMENT_VARIABLE} to a folder that has it"
    )


def _damaged(asset: Asset, damage: Damage, folder: Path) -> str:
    of = " over its files" if asset.folders and damage.file == asset.target else ""
    return (
        f"{folder / damage.file} ({asset.purpose}) has the SHA-256 {damage.found}{of}, expected {damage.expected}: it "
        f"was damaged or replaced and is not used; run: {command('fetch_assets')} --only {asset.name}"
    )
