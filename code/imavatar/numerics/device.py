"""Where tensors are computed."""

import torch


def choose_device() -> torch.device:
    """CUDA where torch finds it, else the CPU.

    There numbers too small to be normal are taken for zero from now on: they are of no use, and slow.
    """
    torch.set_flush_denormal(True)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
