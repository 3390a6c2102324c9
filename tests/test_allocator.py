"""Freed memory is kept where the C library can be asked to."""

import resource
import sys

import pytest
import torch

from imavatar.cli.common import keep_freed_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library of Linux is asked")
def test_large_arrays_are_not_mapped_anew_again_and_again():
    if not keep_freed_memory():
        pytest.skip("the C library has no such setting")

    def faults(n: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(n):
            torch.ones(10_000_000)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    # As many as the heap takes until it has room for one wherever it begins.
    faults(20)
    # Ten arrays of 40 MB have 100,000 pages.
    assert faults(10) < 20_000
