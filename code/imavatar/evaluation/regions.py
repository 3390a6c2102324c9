"""Parts of a face in a picture: eyes with their lids, the mouth, hair and the rim of what is seen.

A part is found from a frame's projected landmarks, or from its mask and labels. One that is too small, or of which less
than half is seen, has no pixels: a frame without it does not count.
"""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.anatomy import SemanticClass

Mask = Bool[Tensor, "h w"]

RIGHT_EYE, LEFT_EYE, OUTER_LIPS = slice(36, 42), slice(42, 48), slice(48, 60)
"""Of the 68 landmarks in iBUG's order."""
EYE_MARGIN, MOUTH_MARGIN = 0.3, 0.15
"""How far beyond its landmarks' hull a part reaches, in its width: eyes as far as their lids, not their brows."""
MIN_WIDTH = 6.0
"""Pixels; a narrower part is too small to be looked at."""
FAR_EYE = 0.35
"""Of the other eye's width: a narrower one is turned away, and its landmarks lie on the nose."""
MIN_SEEN = 0.5
"""Of a part's pixels: a smaller share in the picture and its mask is too little."""
LARGEST = 4
"""Times the picture's sides: landmarks that lie wider apart are none of a picture."""
RIM = 0.012
"""How far the rim reaches to either side of the mask's outline, in the picture's shorter side: 3 of 256 pixels."""
SUBPIXEL_BITS = 4


def eyes(keypoints: Float[Tensor, "k 2"], foreground: Mask) -> Mask:
    """Pixels of both eyes with their lids, within the foreground.

    Args:
        keypoints: the 68 landmarks in pixels (x, y), centres at whole numbers; more may follow.
    """
    found = [keypoints[part] for part in (RIGHT_EYE, LEFT_EYE)]
    widths = [_width(points) for points in found]
    parts = [
        around(points, EYE_MARGIN, foreground)
        for points, width in zip(found, widths, strict=True)
        if width >= FAR_EYE * max(widths)
    ]
    return torch.stack(parts).any(dim=0) if parts else torch.zeros_like(foreground)


def mouth(keypoints: Float[Tensor, "k 2"], foreground: Mask) -> Mask:
    """Pixels of the lips and what is between them, within the foreground; arguments as of `eyes`."""
    return around(keypoints[OUTER_LIPS], MOUTH_MARGIN, foreground)


def around(points: Float[Tensor, "k 2"], margin: float, foreground: Mask) -> Mask:
    """Pixels of the foreground in the convex hull of points, or near it; none where too little of these is seen.

    Args:
        margin: how near, in the largest distance of two points.
    """
    height, width = foreground.shape
    shown, extent = torch.zeros_like(foreground), _width(points)
    if not MIN_WIDTH <= extent <= LARGEST * max(height, width):
        return shown
    pixels = points.detach().cpu().numpy().astype(np.float64)
    reach = margin * extent
    low = np.floor(pixels.min(axis=0) - reach).astype(int) - 1
    high = np.ceil(pixels.max(axis=0) + reach).astype(int) + 2
    part = _near_hull(pixels - low, reach, tuple((high - low)[::-1].tolist()))
    # The window of the picture, and the same of the part, which may reach beyond it.
    first, last = np.maximum(low, 0), np.minimum(high, [width, height])
    if (first >= last).any():
        return shown
    (x0, y0), (x1, y1) = first.tolist(), last.tolist()
    inside = torch.from_numpy(part[y0 - low[1] : y1 - low[1], x0 - low[0] : x1 - low[0]])
    shown[y0:y1, x0:x1] = inside.to(foreground.device) & foreground[y0:y1, x0:x1]
    return shown if int(shown.sum()) >= MIN_SEEN * part.sum() else torch.zeros_like(foreground)


def hair_and_rim(foreground: Mask, semantics: Float[Tensor, "h w 9"]) -> Mask:
    """Pixels of hair, and those near the mask's outline on either side of it; the picture's borders are no outline."""
    return (foreground & (semantics[..., SemanticClass.HAIR] > 0.5)) | rim(foreground)


def rim(foreground: Mask) -> Mask:
    """Pixels near the outline of a mask, on either side of it."""
    reach = max(1.0, RIM * min(foreground.shape))
    inside = foreground.cpu().numpy()
    if inside.all() or not inside.any():
        return torch.zeros_like(foreground)
    # Each distance is 0 on the other side of the outline.
    near = np.maximum(_distance(inside), _distance(~inside)) <= reach
    return torch.from_numpy(near).to(foreground.device)


def _width(points: Float[Tensor, "k 2"]) -> float:
    """The largest distance of two points."""
    return float(torch.cdist(points.double(), points.double()).max())


def _near_hull(points: Float[np.ndarray, "k 2"], reach: float, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    hull = np.zeros(size, np.uint8)
    corners = cv2.convexHull(points.astype(np.float32))
    fixed = np.rint(corners * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillConvexPoly(hull, fixed, 1, shift=SUBPIXEL_BITS)
    return _distance(hull == 0) <= reach


def _distance(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Of each pixel of a mask the distance to the nearest one outside; 0 outside."""
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
