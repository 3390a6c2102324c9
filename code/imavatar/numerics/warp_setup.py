"""NVIDIA Warp, which runs the kernels on CPU and CUDA."""

import functools
import os
import tempfile

import warp as wp


@functools.cache
def initialise_warp() -> None:
    """Start Warp quietly; where the home folder cannot be written its kernels go to a temporary one."""
    wp.config.log_level = wp.LOG_ERROR
    cache = os.path.expanduser("~/.cache")
    parent = cache if os.path.isdir(cache) else os.path.dirname(cache)
    if not os.access(parent, os.W_OK):
        wp.config.kernel_cache_dir = os.path.join(tempfile.gettempdir(), f"warp-{os.getuid()}")
    wp.init()
