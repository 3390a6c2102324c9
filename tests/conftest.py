"""The same random numbers in every run of a test."""

import os

# As the commands do, before torch is loaded: threads that spin while they wait cost a shared machine dearly.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def fixed_seeds():
    torch.manual_seed(0)
    np.random.seed(0)
