"""Memory that a CPU run has freed is kept for its next arrays."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of the options in glibc's malloc.h."""
KEPT_BYTES = 2**31 - 1
LARGEST_FROM_HEAP = 2**30


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory instead of handing it back to the system; whether it could be asked to.

    Layers of a few thousand points are arrays of some 10 MB. By default every one of them is mapped anew and given back
    after use, and the system clears its pages each time: that can take as long as the arithmetic. The peak of what the
    process uses stays about the same; it is just not given back in between. Only with glibc, nothing happens elsewhere.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_FROM_HEAP)) and bool(mallopt(TRIM_THRESHOLD, KEPT_BYTES))
