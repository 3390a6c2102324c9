"""Which frames a step of the fit compares."""

import torch
from jaxtyping import Int
from torch import Tensor

BATCH = 256
"""At most so many, whatever a recording's length: memory and time of a step are bounded."""


def some_frames(n_frames: int, generator: torch.Generator) -> Int[Tensor, " b"]:
    """All numbers of frames, or a random choice in rising order, on the CPU.

    Args:
        generator: of the choice, on the CPU, so that it is the same on every device.
    """
    if n_frames <= BATCH:
        return torch.arange(n_frames, device="cpu")
    return torch.randperm(n_frames, generator=generator, device="cpu")[:BATCH].sort().values
