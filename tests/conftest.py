"""The same random numbers in every run of a test."""

import os

# As the commands do, before torch is loaded: threads that spin while they wait cost a shared machine dearly.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import sys

from jaxtyping import install_import_hook

# Every function of the package has the shapes and types of its arguments checked that it declares. Before 3.11 the
# newest jaxtyping doesn't know of functions that are to be left alone, as the kernels of Warp are.
if sys.version_info >= (3, 11):
    # A whole number is a number, as PEP 484 has it.
    install_import_hook("imavatar", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def fixed_seeds():
    torch.manual_seed(0)
    np.random.seed(0)
