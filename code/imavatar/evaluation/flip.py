"""FLIP (Andersson et al. 2020): what a person sees who flips between two images, by NVIDIA's own package."""

import importlib.util

import torch
from jaxtyping import Float
from torch import Tensor


def flip_available() -> bool:
    """Whether the package is installed (extra: evaluation)."""
    return importlib.util.find_spec("flip_evaluator") is not None


def flip_map(image: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> Float[Tensor, "h w"]:
    """Per-pixel differences, 0...1, of images in [0, 1], seen at 67 pixels a degree."""
    import flip_evaluator

    reference, test = (part.float().cpu().contiguous().numpy() for part in (truth, image))
    found, _, _ = flip_evaluator.evaluate(reference, test, "LDR", applyMagma=False, computeMeanError=False)
    return torch.from_numpy(found.copy())[..., 0]
