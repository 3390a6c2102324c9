"""Which frames a step of the fit compares: memory and time of a step are bounded, whatever a recording's length."""

import torch
from jaxtyping import Int
from torch import Tensor


def some_frames(n_frames: int, most: int, generator: torch.Generator) -> Int[Tensor, " b"]:
    """All numbers of frames, or a random choice in rising order, on the CPU.

    Args:
        most: at most so many.
        generator: of the choice, on the CPU, so that it is the same on every device.
    """
    if n_frames <= most:
        return torch.arange(n_frames, device="cpu")
    return torch.randperm(n_frames, generator=generator, device="cpu")[:most].sort().values
