"""The square of a video that is used: given, in the middle, or around the head wherever it goes.

Squares lie within the picture: what a camera has not seen is not made up. Several videos share one camera, so that the
square has to lie in the same place of each picture, counted from its middle in units of its longer side: that is where
and how large a thing appears by the same lens at any number of pixels, held upright or across.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.errors import DataError
from imavatar.preprocessing.landmarks import Image

CENTRE = "centre"
"""Of the option: the largest square in the middle."""
ABOVE, BELOW, BESIDE = 0.75, 0.65, 0.45
"""What belongs into the square around a face's box, in sides of the box: hair, shoulders, and room to either side."""
HAIR, CHIN = 0.55, 0.12
"""What has to be in it where there is no room for all that."""
PERCENTILE = 2.0
"""Of the boxes' edges: a few wrong detections do not enlarge the square."""
WHOLE = 0.85
"""Of the largest square there is: a square that would be larger than that becomes the largest."""

Rectangle = Float[np.ndarray, " 4"]


@dataclass(frozen=True)
class Crop:
    """A square of the video: left, top and side in its pixels."""

    x: int
    y: int
    side: int

    @classmethod
    def centred(cls, height: int, width: int) -> "Crop":
        """The largest square in the middle."""
        side = min(height, width)
        return cls((width - side) // 2, (height - side) // 2, side)

    def check(self, height: int, width: int, path: Path) -> None:
        """See that the square is inside a video of a size in pixels.

        Raises:
            DataError: it is not.
        """
        if not (0 <= self.x <= width - self.side and 0 <= self.y <= height - self.side and self.side > 0):
            raise DataError(
                f"{path}: the crop {self.x},{self.y},{self.side} (x, y, side) is not inside the video of "
                f"{width} x {height} pixels"
            )

    def apply(self, frame: Image, size: int) -> UInt8[np.ndarray, "s s 3"]:
        """The square, resized."""
        part = frame[self.y : self.y + self.side, self.x : self.x + self.side]
        method = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
        resized = part if self.side == size else cv2.resize(part, (size, size), interpolation=method)
        return np.ascontiguousarray(resized)


@dataclass(frozen=True)
class Heads:
    """Where the head of a recording is: the picture's size, and boxes of its face in all frames, pixels."""

    path: Path
    height: int
    width: int
    boxes: Float[np.ndarray, "n 4"]

    @property
    def longer(self) -> int:
        """The picture's longer side."""
        return max(self.height, self.width)

    def around(self, above: float, below: float, beside: float) -> Rectangle:
        """A rectangle around all boxes, widened by shares of their side; from the middle, in longer sides."""
        low, high = np.percentile(self.boxes, [PERCENTILE, 100 - PERCENTILE], axis=0)
        side = float(np.median(self.boxes[:, 2:] - self.boxes[:, :2]))
        left, top = low[:2] - [beside * side, above * side]
        right, bottom = high[2:] + [beside * side, below * side]
        middle = np.array([self.width, self.height, self.width, self.height]) / 2
        return (np.array([left, top, right, bottom]) - middle) / self.longer


def common_crops(recordings: Sequence[Heads]) -> list[Crop]:
    """The squares around the heads of recordings by one camera, which lie in the same place of each picture.

    Raises:
        DataError: no square holds all heads.
    """
    half_width = min(r.width / r.longer for r in recordings) / 2
    half_height = min(r.height / r.longer for r in recordings) / 2
    wanted = _union([r.around(ABOVE, BELOW, BESIDE) for r in recordings])
    needed = _union([r.around(HAIR, CHIN, 0) for r in recordings])
    largest = 2 * min(half_width, half_height)
    side = float(max(wanted[2:] - wanted[:2]))
    side = largest if side > WHOLE * largest else side
    left = _place(wanted[0::2], needed[0::2], side, half_width)
    top = _place(wanted[1::2], needed[1::2], side, half_height)
    crops = [_in_pixels(left, top, side, r) for r in recordings]
    if len(recordings) > 1:
        for recording, crop in zip(recordings, crops, strict=True):
            _check_holds_face(recording, crop)
    return crops


def _place(wanted: Float[np.ndarray, " 2"], needed: Float[np.ndarray, " 2"], side: float, half: float) -> float:
    """Where the square begins along an axis.

    What it has too much lies on both sides. Where it is too short, what comes last is left out first; and where not
    even all that is needed has room, the same on both sides of that.
    """
    start = (wanted[0] + wanted[1] - side) / 2 if side >= wanted[1] - wanted[0] else wanted[0]
    if start + side < needed[1]:
        start = (needed[0] + needed[1] - side) / 2
    return float(min(max(start, -half), half - side))


def _in_pixels(left: float, top: float, side: float, recording: Heads) -> Crop:
    pixels = min(round(side * recording.longer), recording.width, recording.height)
    x = round(left * recording.longer + recording.width / 2)
    y = round(top * recording.longer + recording.height / 2)
    return Crop(min(max(x, 0), recording.width - pixels), min(max(y, 0), recording.height - pixels), pixels)


def _check_holds_face(recording: Heads, crop: Crop) -> None:
    middle = np.median(recording.boxes, axis=0)
    low, high = np.array([crop.x, crop.y]), np.array([crop.x, crop.y]) + crop.side
    if (middle[:2] < low).any() or (middle[2:] > high).any():
        raise DataError(
            f"{recording.path}: its face is so far from where it is in the other videos that no square holds both, and "
            "one camera has the same square in all; preprocess it as a subject of its own, or leave it out"
        )


def _union(rectangles: Sequence[Rectangle]) -> Rectangle:
    stacked = np.stack(rectangles)
    return np.concatenate([stacked[:, :2].min(axis=0), stacked[:, 2:].max(axis=0)])
