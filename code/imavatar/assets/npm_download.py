"""One package of npm's registry as the archive that it is, by the user's own npm; nothing of it is installed or run.

`npm pack` downloads an archive and unpacks nothing. It works in a folder of its own, with a `package.json` of ours, so
that no project around it has a say; npm's settings of the user and of the machine hold. npm compares the archive with
the sum that the registry states; the pinned SHA-256 sum is compared by who opens it.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from imavatar.assets.catalogue import Package
from imavatar.errors import AssetError
from imavatar.paths import assets_dir

OPTIONS = ("--ignore-scripts", "--loglevel=error", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
"""No script of a package is run; who is offline waits for seconds."""
LONGEST = 900
"""Seconds."""


class NpmError(AssetError):
    """npm is not installed, or could not download."""


def npm_download(package: Package, folder: Path) -> Path:
    """Download one pinned package; returns the archive's path.

    Args:
        folder: empty, for the archive.

    Raises:
        NpmError: no npm, offline, no space, or the registry does not have it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NpmError(
            f"{package.requirement} needs npm, which is not installed; install Node.js, which brings it, {_by_hand()}"
        )
    (folder / "package.json").write_text(json.dumps({"name": "download", "private": True}), encoding="utf-8")
    command = [npm, "pack", package.requirement, *OPTIONS]
    environment = os.environ | {"npm_config_ignore_scripts": "true", "NO_UPDATE_NOTIFIER": "1"}
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NpmError(f"{package.requirement}: npm took more than {LONGEST} s; {_by_hand()}") from error
    except OSError as error:
        raise NpmError(f"npm cannot be started ({error}); {_by_hand()}") from error
    found = sorted(folder.glob("*.tgz"))
    if result.returncode != 0 or not found:
        raise NpmError(_reason(package, result.stderr, result.returncode, folder))
    return found[0]


def _reason(package: Package, said: str, code: int, folder: Path) -> str:
    """Why npm did not download, in one message."""
    lines = [
        line.removeprefix("npm").strip().removeprefix("error").removeprefix("ERR!").strip()
        for line in said.splitlines()
    ]
    told = [line for line in lines if line and not line.startswith(("A complete log", "code ", "errno ", "syscall "))]
    reason = told[0] if told else f"npm ended with exit code {code}"
    return (
        f"{package.requirement} could not be downloaded ({reason}). Check the network, npm's settings and the space in "
        f"{folder.parent}; {_by_hand()}"
    )


def _by_hand() -> str:
    return f"or copy the file into {assets_dir()} by hand: its sum is compared when it is used"
