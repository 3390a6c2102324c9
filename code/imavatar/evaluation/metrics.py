"""Differences between a rendering and the truth: pure functions of images in [0, 1].

A metric that is undefined (no pixel that counts, an image smaller than a window) is None, never a stand-in number.
"""

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

PSNR_CAP = 100.0
"""PSNR of equal images, decibels; infinity would spoil every mean."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_STABILISERS = (0.01**2, 0.03**2)

N_IBUG = 68

Image, Mask = Float[Tensor, "h w 3"], Bool[Tensor, "h w"]
Distance = Callable[[Image, Image], float]
"""A distance of two images with colours in [-1, 1], such as LPIPS."""
Detector = Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, "68 2"] | None]
"""Finds the 68 iBUG landmarks of an RGB image, in the pixel coordinates of the data set; None without a face."""

MESH_EVERY = 5
"""Surfaces are compared in every so many-th frame: a mesh takes as long as an image."""


@dataclass(frozen=True)
class MetricInfo:
    """How a metric is shown, and what it means; an optional one is in a summary only where some frame has it."""

    label: str
    unit: str
    higher_is_better: bool
    digits: int
    meaning: str
    optional: bool = False


METRICS = {
    "mae": MetricInfo("MAE", "", False, 4, "mean absolute difference of colours in [0, 1] over the protocol's pixels"),
    "psnr": MetricInfo("PSNR", "dB", True, 2, "over the protocol's pixels"),
    "ssim": MetricInfo("SSIM", "", True, 4, "11 x 11 Gaussian window, sigma 1.5, windows centred on these pixels"),
    "lpips": MetricInfo("LPIPS", "", False, 4, "AlexNet, of the whole image, else white, or of the close-up"),
    "flip": MetricInfo("FLIP", "", False, 4, "mean over the protocol's pixels, 67 pixels a degree", optional=True),
    "expression_error": MetricInfo(
        "expression", "px", False, 2, "68 landmarks detected on the rendering against those detected on the picture"
    ),
    "keypoint_error": MetricInfo(
        "landmarks", "px", False, 2, "68 landmarks detected on the rendering against the projected ones"
    ),
    "normal_error": MetricInfo("normals", "degrees", False, 2, "on the face, where the truth is exact", optional=True),
    "depth_error": MetricInfo("depth", "mm", False, 2, "on the face, where the truth is exact", optional=True),
    "surface_distance": MetricInfo(
        "surface", "mm", False, 2, f"two-way distance of what is seen of the face, every {MESH_EVERY}th frame"
    ),
    "mask_iou": MetricInfo("mask IoU", "", True, 4, "rendered coverage above one half against the true mask"),
    "change_error": MetricInfo(
        "change", "", False, 4, "difference of the changes since the frame before", optional=True
    ),
}
"""Of a frame under one protocol, by the names that files have. The lower ones, but the last, are the same under all."""


def mean_absolute_error(image: Image, truth: Image, mask: Mask | None = None) -> float | None:
    """Mean absolute difference over pixels (of the mask) and channels."""
    return _mean((image.double() - truth.double()).abs(), mask)


def psnr(image: Image, truth: Image, mask: Mask | None = None) -> float | None:
    """-10 log10 of the mean squared difference over pixels (of the mask) and channels, at most PSNR_CAP."""
    error = _mean((image.double() - truth.double()).square(), mask)
    if error is None:
        return None
    return PSNR_CAP if error == 0 else min(PSNR_CAP, -10 * math.log10(error))


def ssim(image: Image, truth: Image, mask: Mask | None = None) -> float | None:
    """Structural similarity (11 x 11 Gaussian, sigma 1.5), averaged over whole windows and channels.

    Windows that would leave the image are left out. With a mask, over the windows centred on its pixels.
    """
    if min(image.shape[:2]) < SSIM_WINDOW:
        return None
    border = SSIM_WINDOW // 2
    return _mean(ssim_map(image, truth), None if mask is None else mask[border:-border, border:-border])


def ssim_map(image: Image, truth: Image) -> Float[Tensor, "h-10 w-10 3"]:
    """Structural similarity of the windows that lie in the image, by their centres; population covariance."""
    x, y = (part.double().permute(2, 0, 1) for part in (image, truth))
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = _blurred(torch.stack([x, y, x * x, y * y, x * y]))
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    c1, c2 = SSIM_STABILISERS
    numerator = (2 * product + c1) * (2 * (mean_xy - product) + c2)
    denominator = (squares + c1) * (mean_xx + mean_yy - squares + c2)
    return (numerator / denominator).permute(1, 2, 0)


def _blurred(planes: Float[Tensor, "k c h w"]) -> Float[Tensor, "k c h-10 w-10"]:
    offset = torch.arange(SSIM_WINDOW, device=planes.device).to(planes) - SSIM_WINDOW // 2
    kernel = torch.exp(-0.5 * (offset / SSIM_SIGMA).square())
    kernel = kernel / kernel.sum()
    flat = planes.reshape(-1, 1, *planes.shape[-2:])
    flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return flat.view(*planes.shape[:2], *flat.shape[-2:])


def flip_available() -> bool:
    """Whether FLIP's package is installed (extra: evaluation)."""
    return importlib.util.find_spec("flip_evaluator") is not None


def flip_map(image: Image, truth: Image) -> Float[Tensor, "h w"]:
    """Per-pixel FLIP, 0...1, seen at 67 pixels a degree: what a person sees who flips between two images.

    By NVIDIA's own package (Andersson et al. 2020).
    """
    import flip_evaluator

    reference, test = (part.float().cpu().contiguous().numpy() for part in (truth, image))
    found, _, _ = flip_evaluator.evaluate(reference, test, "LDR", applyMagma=False, computeMeanError=False)
    return torch.from_numpy(found.copy())[..., 0]


def mask_iou(covered: Mask, foreground: Mask) -> float | None:
    """Intersection over union of two masks; None where both are empty."""
    union = int((covered | foreground).sum())
    return int((covered & foreground).sum()) / union if union > 0 else None


def normal_error(found: Image, truth: Image, mask: Mask) -> float | None:
    """Mean angle in degrees over the pixels of the mask at which both images have a normal."""
    both = mask & (found.norm(dim=-1) > 0) & (truth.norm(dim=-1) > 0)
    if not both.any():
        return None
    a, b = (F.normalize(normals[both].double(), dim=-1) for normals in (found, truth))
    # Exact for small angles too, where the arc cosine of a product is not.
    angle = 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))
    return float(torch.rad2deg(angle).mean())


def temporal_error(images: tuple[Image, Image], truths: tuple[Image, Image], mask: Mask | None) -> float | None:
    """How far the change between two consecutive renderings is off the true one: the mean absolute difference.

    An avatar that is off by the same in both has none; one that flickers or jumps has.
    """
    change, true_change = (later.double() - before.double() for before, later in (images, truths))
    return _mean((change - true_change).abs(), mask)


def depth_error(found: Float[Tensor, "h w"], truth: Float[Tensor, "h w"], mask: Mask) -> float | None:
    """Mean absolute difference over the pixels of the mask at which both are known (not 0), in the images' unit."""
    both = mask & (found > 0) & (truth > 0)
    return float((found[both].double() - truth[both].double()).abs().mean()) if both.any() else None


def mean_point_distance(found: Float[Tensor, "k 2"], truth: Float[Tensor, "k 2"]) -> float:
    """Mean Euclidean distance of corresponding points, in their unit."""
    return float((found.double() - truth.double()).norm(dim=-1).mean())


def keypoint_error(found: np.ndarray | None, keypoints: Float[Tensor, "k 2"]) -> float | None:
    """Mean distance in pixels between the landmarks that a detector finds in a rendering and known ones.

    None where it finds no face. Points beyond the first 68 (the irises) do not count.
    """
    if found is None:
        return None
    if np.shape(found) != (N_IBUG, 2):
        raise ValueError(f"a detector gives {N_IBUG} points [68, 2], not {np.shape(found)}")
    return mean_point_distance(torch.as_tensor(np.asarray(found)), keypoints[:N_IBUG].cpu())


def on_white(image: Image, foreground: Mask) -> Image:
    """The image with everything but the foreground white."""
    return torch.where(foreground[..., None], image, torch.ones_like(image))


def _mean(values: Image, mask: Mask | None) -> float | None:
    chosen = values if mask is None else values[mask]
    return float(chosen.mean()) if chosen.numel() > 0 else None
