"""Values that stay still where the image does: a network's noise from frame to frame is none of the person's."""

import cv2
import numpy as np
from jaxtyping import Float

from imavatar.preprocessing.landmarks import Image

OLD_SHARE = 0.7
"""Of the values before, where the image is the same."""
SAME = 6.0
"""Grey values: the standard deviation of the differences up to which an image counts as the same."""
NEIGHBOURHOOD = 0.004
"""Of the image's height: half a side of the square over which differences are averaged."""


class Steadied:
    """Blends each frame's values with those of the frame before, pixel by pixel where the image has not changed.

    What moves has other colours than what was there, and takes the new values: nothing is smeared.
    """

    def __init__(self):
        self._before: tuple[Image, Float[np.ndarray, "c h w"]] | None = None

    def reset(self) -> None:
        """Forget the frame before: another recording begins."""
        self._before = None

    def __call__(self, rgb: Image, values: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "c h w"]:
        """The values of the next frame."""
        if self._before is not None and self._before[0].shape == rgb.shape:
            share = _share_of_old(rgb, self._before[0])
            values = values + share * (self._before[1] - values)
        self._before = rgb, values
        return values


def _share_of_old(rgb: Image, before: Image) -> Float[np.ndarray, "h w"]:
    """How much of the frame before counts at each pixel."""
    side = 2 * round(NEIGHBOURHOOD * len(rgb)) + 1
    difference = np.maximum.reduce(cv2.split(cv2.absdiff(rgb, before))).astype(np.float32)
    return OLD_SHARE * cv2.exp(-np.square(cv2.blur(difference, (side, side)) / SAME))
