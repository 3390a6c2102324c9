"""Full precision where a search converges or a matrix is inverted, whatever is set elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

FULL = "ieee"
MATMUL_BACKENDS: tuple[Any, ...] = (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul"))  # noqa: B009
"""By its name: torch's stubs lack the second."""


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Products of single-precision matrices in single precision, and no autocast.

    TF32 and bfloat16 keep three digits: a root finder with a tolerance of 1e-5 would not converge, and the Jacobian of
    the analytic gradient would be another one than that of the equations. What was set is set again at the end, also
    after an error. A later backward pass through what was computed inside is not covered.
    """
    # The backends' own settings are what products follow, whichever of torch's interfaces they were made by; asking by
    # the older interface fails where a user has used the newer one.
    before = [backend.fp32_precision for backend in MATMUL_BACKENDS]
    _set([FULL] * len(MATMUL_BACKENDS))
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        _set(before)


def _set(precisions: list[str]) -> None:
    for backend, precision in zip(MATMUL_BACKENDS, precisions, strict=True):
        backend.fp32_precision = precision
