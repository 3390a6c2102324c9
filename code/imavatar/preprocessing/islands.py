"""What of a soft matte is the person: parts of others go, ear rings and strands beside the head stay."""

import cv2
import numpy as np
from jaxtyping import Float

from imavatar.head import mesh_points
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.matting import PERSON_ALPHA
from imavatar.preprocessing.multiclass import face_height
from imavatar.preprocessing.semantics import Mask, fill

REACH = 0.15
"""Of the face's height: how far from the person what hangs loose may be."""
LARGEST_ISLAND = 0.15
"""Of the face's height: side of the square with the area of the largest loose part that stays."""
LARGEST_HOLE = 0.02
"""Of the face's height: side of the square with the area of the largest hole that is none."""
VEIL = 0.04
"""Of the face's height: how far a guided filter's alpha reaches beyond the parts that stay."""
INNER = 0.8
"""Of the face's outline about its middle: within it all is the person's."""


def clean_alpha(alpha: Float[np.ndarray, "h w"], face: FaceLandmarks, veil: float = VEIL) -> Float[np.ndarray, "h w"]:
    """Alpha of the person whose face it is; the face has no holes.

    Nothing is opened or smoothed: a strand that is there in one frame and thin in the next stays as thin as it is.

    Args:
        veil: heights of the face beyond the parts that stay, within which alpha up to one half does.
    """
    size, (height, width) = face_height(face), alpha.shape
    outline = face.points[list(mesh_points.FACE_OVAL)]
    middle = outline.mean(axis=0)
    inner = fill(middle + INNER * (outline - middle), height, width)
    solid = (alpha > PERSON_ALPHA) | inner
    stays = _parts_that_stay(solid, inner, size)
    others = solid & ~stays
    cleaned = np.where(_within(stays, veil * size) & ~_within(others, 1.5) | stays, alpha, 0).astype(np.float32)
    cleaned[_small_holes(stays, size) | inner] = 1
    return cleaned


def _parts_that_stay(solid: Mask, face: Mask, size: float) -> Mask:
    """The part with the face, and small ones beside it."""
    count, part, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    if count <= 1:
        return solid
    inside = part[face]
    main = int(np.bincount(inside).argmax()) if len(inside) else 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    near = np.unique(part[_within(part == main, REACH * size)])
    small = [k for k in near if k > 0 and stats[k, cv2.CC_STAT_AREA] < (LARGEST_ISLAND * size) ** 2]
    return np.isin(part, [main, *small])


def _small_holes(stays: Mask, size: float) -> Mask:
    """Parts of the background inside the person that are too small to be seen through."""
    count, part, stats, _ = cv2.connectedComponentsWithStats((~stays).astype(np.uint8), connectivity=4)
    return np.isin(part, [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] < (LARGEST_HOLE * size) ** 2])


def _within(mask: Mask, pixels: float) -> Mask:
    """The mask, and what is no farther from it."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= pixels
