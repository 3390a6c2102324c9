"""What a comparison was made on and with."""

import os
import platform
import subprocess
from pathlib import Path

import torch


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
