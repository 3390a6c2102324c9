"""LPIPS (Zhang et al., CVPR 2018): distance of two images in the features of AlexNet."""

import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imavatar.assets import asset_path
from imavatar.errors import AssetError
from imavatar.paths import command

logger = logging.getLogger(__name__)

MEAN, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of the colours in [-1, 1], channel by channel."""

STRIDE_AND_PADDING = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
POOL_BEFORE = (1, 2)
SMALLEST_SIDE = 31
"""Below this side in pixels the last pooling has nothing left: smaller images are enlarged."""

ALLOWED_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}

UNREADABLE = (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, pickle.UnpicklingError)
"""What a file raises that is damaged or something else."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_GLOBALS:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


class Lpips:
    """Distance of images: 0 for equal ones, about 0.7 for unrelated ones.

    Made of AlexNet's five convolutions [o, i, h, w], their biases [o], and non-negative weights [o] of their channels.
    """

    def __init__(self, kernels: list[Tensor], biases: list[Tensor], heads: list[Tensor]):
        self.kernels, self.biases, self.heads = kernels, biases, heads

    @classmethod
    def load(cls, path: Path) -> "Lpips":
        """Read the weights; nothing but arrays is unpickled.

        Raises:
            AssetError: the file is damaged or something else.
        """
        try:
            with path.open("rb") as file:
                table = _ArraysOnly(file).load()
            convolutions = [table["AlexNet_0"][f"Conv_{i}"] for i in range(5)]
            linear = [table[f"NetLinLayer_{i}"]["Conv_0"]["kernel"] for i in range(5)]
        except UNREADABLE as error:
            raise AssetError(
                f"{path} does not hold the weights of LPIPS ({error}); delete it and run: "
                f"{command('fetch_assets')} --only lpips_alexnet"
            ) from error
        return cls(
            [_tensor(c["kernel"]).permute(3, 2, 0, 1).contiguous() for c in convolutions],
            [_tensor(c["bias"]) for c in convolutions],
            [_tensor(kernel).flatten() for kernel in linear],
        )

    @torch.no_grad()
    def __call__(self, first: Float[Tensor, "h w 3"], second: Float[Tensor, "h w 3"]) -> float:
        """Distance of two images with colours in [-1, 1]."""
        distance = torch.zeros(())
        for a, b, head in zip(self._features(first), self._features(second), self.heads, strict=True):
            distance = distance + torch.einsum("c,bchw->bhw", head, (_unit(a) - _unit(b)).square()).mean()
        return float(distance)

    def _features(self, image: Float[Tensor, "h w 3"]) -> list[Float[Tensor, "1 _ _ _"]]:
        x = image.detach().cpu().float().permute(2, 0, 1)[None]
        shorter = min(x.shape[-2:])
        if shorter < SMALLEST_SIDE:
            size = [round(side * (SMALLEST_SIDE / shorter)) for side in x.shape[-2:]]
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        x = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]
        features = []
        for layer, (stride, padding) in enumerate(STRIDE_AND_PADDING):
            if layer in POOL_BEFORE:
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(F.conv2d(x, self.kernels[layer], self.biases[layer], stride=stride, padding=padding))
            features.append(x)
        return features


def load_lpips() -> Lpips | None:
    """The metric, or None with a message where its weights are missing."""
    try:
        path = asset_path("lpips_alexnet")
    except AssetError as error:
        logger.warning("LPIPS skipped: %s", error)
        return None
    return Lpips.load(path)


def _unit(features: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))
