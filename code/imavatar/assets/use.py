"""Assets as the rest of the project uses them: compared with their sums each time."""

from pathlib import Path

from imavatar.assets.catalogue import Asset, named
from imavatar.assets.sums import remembered_sha256, sha256
from imavatar.assets.wholeness import Damage, State, state_of
from imavatar.errors import AssetError
from imavatar.paths import ASSETS as ENVIRONMENT_VARIABLE
from imavatar.paths import assets_dir, command


def asset_path(name: str, folder: Path | None = None) -> Path:
    """File (or folder) of an asset, whose files have the sums that they should have.

    A process reads a file for that once, and again when its size or time has changed.

    Args:
        folder: where assets lie; `assets_dir()` by default.

    Raises:
        AssetError: it has not been fetched, or a file is another one; the message says which and how to repair it.
    """
    asset, folder = named(name), assets_dir() if folder is None else folder
    state = state_of(asset, folder, remembered_sha256)
    if not state.whole:
        raise AssetError(_complaint(state, folder))
    return folder / asset.target


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
