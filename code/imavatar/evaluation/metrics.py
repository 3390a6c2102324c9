"""Differences between a rendering and the truth: pure functions of images in [0, 1].

The full-image protocol compares everything; the truth has a white background. The masked protocol makes both images
white outside the true foreground and averages over the foreground's pixels (docs/method.md, section 11); the face
protocol does the same with the part of the foreground that is the face's interior.
A metric that is undefined (no foreground, an image smaller than a window) is None, never a stand-in number.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

PSNR_CAP = 100.0
"""PSNR of equal images, decibels; infinity would spoil every mean."""

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_STABILISERS = (0.01**2, 0.03**2)

Distance = Callable[[Float[Tensor, "h w 3"], Float[Tensor, "h w 3"]], float]
"""A distance of two images with colours in [-1, 1], such as LPIPS."""


@dataclass(frozen=True)
class MetricInfo:
    """How a metric is shown; an optional one only where some frame has it."""

    label: str
    unit: str
    higher_is_better: bool
    digits: int = 4
    optional: bool = False


METRICS = {
    "psnr": MetricInfo("PSNR", "dB", True, 2),
    "ssim": MetricInfo("SSIM", "", True),
    "mae": MetricInfo("MAE", "of the range 0 to 1", False),
    "lpips": MetricInfo("LPIPS", "", False),
    "flip": MetricInfo("FLIP", "", False, optional=True),
    "psnr_masked": MetricInfo("PSNR, foreground", "dB", True, 2),
    "ssim_masked": MetricInfo("SSIM, foreground", "", True),
    "mae_masked": MetricInfo("MAE, foreground", "of the range 0 to 1", False),
    "lpips_masked": MetricInfo("LPIPS, foreground", "", False),
    "flip_masked": MetricInfo("FLIP, foreground", "", False, optional=True),
    "psnr_face": MetricInfo("PSNR, face", "dB", True, 2),
    "ssim_face": MetricInfo("SSIM, face", "", True),
    "mae_face": MetricInfo("MAE, face", "of the range 0 to 1", False),
    "lpips_face": MetricInfo("LPIPS, face", "", False),
    "flip_face": MetricInfo("FLIP, face", "", False, optional=True),
    "change_error": MetricInfo("change between frames, foreground", "of the range 0 to 1", False, optional=True),
    "mask_iou": MetricInfo("mask IoU", "", True),
    "normal_error_face": MetricInfo("normals, face", "degrees", False, 2, optional=True),
    "depth_error_face": MetricInfo("depth, face", "mm", False, 2, optional=True),
    "keypoint_error": MetricInfo("keypoint error", "pixels", False, 2),
}


def mean_absolute_error(
    image: Float[Tensor, "h w 3"],
    truth: Float[Tensor, "h w 3"],
    mask: Bool[Tensor, "h w"] | None = None,
) -> float | None:
    """Mean absolute difference over pixels (of the mask) and channels."""
    return _mean((image.double() - truth.double()).abs(), mask)


def psnr(
    image: Float[Tensor, "h w 3"],
    truth: Float[Tensor, "h w 3"],
    mask: Bool[Tensor, "h w"] | None = None,
) -> float | None:
    """-10 log10 of the mean squared difference over pixels (of the mask) and channels, at most PSNR_CAP."""
    error = _mean((image.double() - truth.double()).square(), mask)
    if error is None:
        return None
    return PSNR_CAP if error == 0 else min(PSNR_CAP, -10 * math.log10(error))


def ssim(
    image: Float[Tensor, "h w 3"],
    truth: Float[Tensor, "h w 3"],
    mask: Bool[Tensor, "h w"] | None = None,
) -> float | None:
    """Structural similarity (11 x 11 Gaussian, sigma 1.5), averaged over whole windows and channels.

    Windows that would leave the image are left out. With a mask, over the windows centred on its pixels.
    """
    if min(image.shape[:2]) < SSIM_WINDOW:
        return None
    border = SSIM_WINDOW // 2
    inner = None if mask is None else mask[border:-border, border:-border]
    return _mean(ssim_map(image, truth), inner)


def ssim_map(image: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> Float[Tensor, "h-10 w-10 3"]:
    """Structural similarity of the windows that lie in the image, by their centres; population covariance."""
    x, y = (part.double().permute(2, 0, 1) for part in (image, truth))
    moments = _blurred(torch.stack([x, y, x * x, y * y, x * y]))
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = moments
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    c1, c2 = SSIM_STABILISERS
    numerator = (2 * product + c1) * (2 * (mean_xy - product) + c2)
    denominator = (squares + c1) * (mean_xx + mean_yy - squares + c2)
    return (numerator / denominator).permute(1, 2, 0)


def _blurred(planes: Float[Tensor, "k c h w"]) -> Float[Tensor, "k c h-10 w-10"]:
    """Gaussian means of all windows inside the planes."""
    offset = torch.arange(SSIM_WINDOW, device=planes.device).to(planes) - SSIM_WINDOW // 2
    kernel = torch.exp(-0.5 * (offset / SSIM_SIGMA).square())
    kernel = kernel / kernel.sum()
    flat = planes.reshape(-1, 1, *planes.shape[-2:])
    flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return flat.view(*planes.shape[:2], *flat.shape[-2:])


def mask_iou(covered: Bool[Tensor, "h w"], foreground: Bool[Tensor, "h w"]) -> float | None:
    """Intersection over union of two masks; None where both are empty."""
    union = int((covered | foreground).sum())
    return int((covered & foreground).sum()) / union if union > 0 else None


def normal_error(
    found: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"], mask: Bool[Tensor, "h w"]
) -> float | None:
    """Mean angle in degrees over the pixels of the mask at which both images have a normal."""
    both = mask & (found.norm(dim=-1) > 0) & (truth.norm(dim=-1) > 0)
    if not both.any():
        return None
    a, b = (F.normalize(normals[both].double(), dim=-1) for normals in (found, truth))
    # Exact for small angles too, where the arc cosine of a product is not.
    angle = 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))
    return float(torch.rad2deg(angle).mean())


def change_error(
    images: tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w 3"]],
    truths: tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w 3"]],
    mask: Bool[Tensor, "h w"],
) -> float | None:
    """How far the change between two consecutive renderings is off the true one: the mean absolute difference.

    An avatar that is off by the same in both has none; one that flickers or jumps has.
    """
    change, true_change = (later.double() - before.double() for before, later in (images, truths))
    return _mean((change - true_change).abs(), mask)


def depth_error(found: Float[Tensor, "h w"], truth: Float[Tensor, "h w"], mask: Bool[Tensor, "h w"]) -> float | None:
    """Mean absolute difference over the pixels of the mask at which both are known (not 0), in the images' unit."""
    both = mask & (found > 0) & (truth > 0)
    return float((found[both].double() - truth[both].double()).abs().mean()) if both.any() else None


def mean_point_distance(found: Float[Tensor, "k 2"], truth: Float[Tensor, "k 2"]) -> float:
    """Mean Euclidean distance of corresponding points, in their unit."""
    return float((found.double() - truth.double()).norm(dim=-1).mean())


def on_white(image: Float[Tensor, "h w 3"], foreground: Bool[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
    """The image with everything but the foreground white."""
    return torch.where(foreground[..., None], image, torch.ones_like(image))


def image_metrics(
    image: Float[Tensor, "h w 3"],
    truth: Float[Tensor, "h w 3"],
    foreground: Bool[Tensor, "h w"],
    face: Bool[Tensor, "h w"],
    lpips: Distance | None,
) -> dict[str, float | None]:
    """All colour metrics under the three protocols; LPIPS is None without its network."""
    return {
        "mae": mean_absolute_error(image, truth),
        "psnr": psnr(image, truth),
        "ssim": ssim(image, truth),
        "lpips": _perceptual(lpips, image, truth),
        **_within(image, truth, foreground, lpips, "masked"),
        **_within(image, truth, face & foreground, lpips, "face"),
    }


def _within(image, truth, mask: Bool[Tensor, "h w"], lpips: Distance | None, protocol: str) -> dict[str, float | None]:
    """The colour metrics over a mask's pixels, everything else white."""
    image, truth = on_white(image, mask), on_white(truth, mask)
    return {
        f"mae_{protocol}": mean_absolute_error(image, truth, mask),
        f"psnr_{protocol}": psnr(image, truth, mask),
        f"ssim_{protocol}": ssim(image, truth, mask),
        f"lpips_{protocol}": _perceptual(lpips if mask.any() else None, image, truth),
    }


def _perceptual(lpips: Distance | None, image: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"]) -> float | None:
    return None if lpips is None else float(lpips(2 * image - 1, 2 * truth - 1))


def _mean(values: Float[Tensor, "h w 3"], mask: Bool[Tensor, "h w"] | None) -> float | None:
    chosen = values if mask is None else values[mask]
    return float(chosen.mean()) if chosen.numel() > 0 else None
