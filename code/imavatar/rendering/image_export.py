"""Renderings as bytes, and images side by side: what files and videos show."""

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.rendering.image import RenderedImage

LEAST_VIDEO_HEIGHT = 256
"""Smaller frames are enlarged for videos: players and encoders do badly on thumbnails."""


def colour_bytes(rgb: Float[Tensor, "*n 3"]) -> UInt8[np.ndarray, "*n 3"]:
    """Colours in [-1, 1] as bytes; what lies outside is clipped."""
    return _bytes((rgb + 1) / 2)


def normal_bytes(normal: Float[Tensor, "h w 3"], alpha: Float[Tensor, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Unit normals as colours, (n + 1) / 2, on white."""
    coverage = alpha[..., None]
    return _bytes(coverage * (normal + 1) / 2 + (1 - coverage))


def _bytes(unit: Float[Tensor, "*n 3"]) -> UInt8[np.ndarray, "*n 3"]:
    return (unit.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def comparison_strip(truth: Float[Tensor, "h w 3"] | None, rendered: RenderedImage) -> UInt8[np.ndarray, "h w2 3"]:
    """Truth, where there is one, rendering and normals in a row."""
    panels = [colour_bytes(rendered.rgb), normal_bytes(rendered.normal, rendered.alpha)]
    return np.concatenate(panels if truth is None else [colour_bytes(truth), *panels], axis=1)


def video_frame(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The image for a video: enlarged by a whole factor where it is small, both sides even.

    Pixels are repeated, not smoothed: an enlarged rendering must not look better than it is. H.264 halves the
    resolution of colour, so an odd side gets its last row or column twice.
    """
    factor = -(-LEAST_VIDEO_HEIGHT // image.shape[0])
    if factor > 1:
        image = image.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(image)
