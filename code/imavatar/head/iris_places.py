"""Where irises are between the corners of their eyes: how a face in a picture looks aside and up."""

import numpy as np
from jaxtyping import Float

from imavatar.head.mesh_points import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

SMALLEST_EYE = 1e-6
"""Of an eye's width that is divided by, in the unit of the points."""


def iris_places(points: Float[np.ndarray, "n 468 2"], irises: Float[np.ndarray, "n 2 2"]) -> Float[np.ndarray, "n 2 2"]:
    """From the middle between an eye's corners to its iris, across (towards the person's left) and up.

    Of the right and the left eye, in shares of the eye's width; the corners' line is the axis, so that a tilted head
    changes nothing.

    Args:
        points: landmarks of a face in n frames, pixels, y down.
        irises: centres of the right and the left iris, likewise.
    """
    outer_right, inner_right = RIGHT_EYE_CORNERS
    outer_left, inner_left = LEFT_EYE_CORNERS
    first, last = points[:, [outer_right, inner_left]], points[:, [inner_right, outer_left]]
    across = last - first
    squared = np.maximum(np.square(across).sum(axis=-1, keepdims=True), SMALLEST_EYE**2)
    up = np.stack([across[..., 1], -across[..., 0]], axis=-1)
    offset = irises - (first + last) / 2
    return np.concatenate([(offset * axis).sum(axis=-1, keepdims=True) for axis in (across, up)], axis=-1) / squared
