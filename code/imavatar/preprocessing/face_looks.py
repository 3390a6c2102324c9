"""How bright and how sharp the face is in the pictures, which the fit knows nothing of."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.head.mesh_points import FACE_OVAL
from imavatar.preprocessing.landmarks import PIXEL_CENTRE

MOST_FRAMES = 200
"""That are looked at, evenly over the recordings."""
SIDE = 128
"""Pixels of the face's height at which sharpness is compared."""
BLURRED_BELOW = 0.25
"""Of the sharpness of the recording's sharpest tenth."""


@dataclass(frozen=True)
class FaceLooks:
    """Of some frames, in their order.

    Attributes:
        brightness: mean grey of the face, 0 to 255.
        sharpness: mean squared second difference of the grey over the squared brightness.
    """

    brightness: Float[np.ndarray, " m"]
    sharpness: Float[np.ndarray, " m"]

    @property
    def blurred_share(self) -> float:
        """How many of the frames are much less sharp than the sharpest; 0 to 1."""
        sharp = np.percentile(self.sharpness, 90)
        return float((self.sharpness < BLURRED_BELOW * sharp).mean())


def face_looks(
    picture: Callable[[int], UInt8[np.ndarray, "h w 3"]], landmarks: Float[np.ndarray, "n 468 2"]
) -> FaceLooks:
    """Look at the face in at most MOST_FRAMES frames.

    Args:
        picture: RGB image of a frame.
        landmarks: of all frames, continuous pixels.
    """
    n = len(landmarks)
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST_FRAMES)).astype(int)).tolist()
    looks = np.array([_look(picture(row), landmarks[row]) for row in rows])
    return FaceLooks(looks[:, 0], looks[:, 1])


def _look(rgb: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "468 2"]) -> tuple[float, float]:
    """Brightness and sharpness inside the oval of the face."""
    points = landmarks - PIXEL_CENTRE
    height, width = rgb.shape[:2]
    low = np.floor(points.min(axis=0)).astype(int).clip(0, [width - 1, height - 1])
    high = np.ceil(points.max(axis=0)).astype(int).clip(low + 1, [width, height])
    grey = cv2.cvtColor(rgb[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    scale = SIDE / len(grey)
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
    oval = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(oval, [np.round((points[list(FACE_OVAL)] - low) * scale).astype(np.int32)], 1)
    face = oval == 1 if oval.any() else np.ones(grey.shape, bool)
    brightness = float(grey[face].mean())
    second = cv2.Laplacian(grey, cv2.CV_32F)[face]
    return brightness, float(np.square(second).mean()) / max(brightness, 1.0) ** 2
