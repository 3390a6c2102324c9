"""What a comparison is made on and with."""

import os
import platform
import subprocess
from importlib.util import find_spec
from pathlib import Path

import torch

from imavatar.errors import ImavatarError

PLOTS, WORKFLOW = "matplotlib", "snakemake"
"""Packages of the extra `lab`."""


def check_installed(*packages: str) -> None:
    """See that packages are installed.

    Raises:
        ImavatarError: one is not.
    """
    for name in packages:
        if find_spec(name) is None:
            newer = " under Python 3.11 or newer" if name == WORKFLOW else ""
            raise ImavatarError(
                f"the comparison needs {name}: install the extra `lab`{newer} (pip install -e '.[lab]')"
            )


def describe_machine() -> str:
    """Processor, its cores, a GPU where there is one, torch's version."""
    device = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores{device}; torch {torch.__version__}"


def commit_of(folder: Path) -> str:
    """The commit of the project's folder, and whether files differ from it; `unknown` without git."""
    try:
        found = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found[:12] + (" with changes" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
