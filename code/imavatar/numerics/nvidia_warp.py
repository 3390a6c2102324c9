"""NVIDIA Warp, which runs the kernels on CPU and CUDA."""

import contextlib
import functools
import os
import stat
import tempfile
from pathlib import Path

import warp as wp


@functools.cache
def initialise_warp() -> None:
    """Start Warp quietly; where the home folder cannot be written its kernels go to a temporary one."""
    wp.config.log_level = wp.LOG_ERROR
    cache = os.path.expanduser("~/.cache")
    parent = cache if os.path.isdir(cache) else os.path.dirname(cache)
    if not os.access(parent, os.W_OK):
        wp.config.kernel_cache_dir = str(private_folder(Path(tempfile.gettempdir()) / f"warp-{os.getuid()}"))
    wp.init()


def private_folder(wanted: Path) -> Path:
    """A folder that nobody else can write: `wanted`, or another one where somebody else has made that first.

    Compiled kernels are loaded from there as code.
    """
    with contextlib.suppress(OSError):  # It is there already, or cannot be: looked at below.
        wanted.mkdir(mode=0o700)
    try:
        found = os.lstat(wanted)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="warp-"))
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return wanted if own else Path(tempfile.mkdtemp(prefix="warp-"))
