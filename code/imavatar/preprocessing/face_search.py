"""All faces of a picture, small ones too: the detector looks at overlapping windows where it finds none in the whole.

Each detection is checked by the landmark model, which tells faces from what resembles them.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from imavatar.assets import asset_path
from imavatar.preprocessing.detection import Box, Detection, FaceDetector, box_side, merge
from imavatar.preprocessing.landmarks import FaceLandmarker, Image, Points, region_of_detection, region_of_points

WORK_SIDE = 960
"""Pixels along the longer side at which is searched: no face that is worth an avatar gets too small by that."""
MOST_FACES = 3
"""Faces of a frame that are looked at closely, the largest ones."""
SMALL_FACE = 0.2
"""Of the longer side: a known face below it is looked for in a window of its own."""
WINDOW = 4.0
"""Side of that window in sides of the face."""
DIVISIONS = (1, 2, 4)
"""Sides of the windows of a thorough search: the picture's shorter side over these."""
CUT_OFF = 0.02
"""Of a window's side: a box that comes nearer to an edge within the picture shows a part of a face."""


@dataclass(frozen=True)
class SeenFace:
    """A face in a picture: its box, landmarks and roll.

    `box` and `points` are in pixels, `roll` in radians, clockwise. `score` is the detector's from 0 to 1, `certainty`
    the landmark model's as a logit: beyond 10 for most faces that stand upright in their region.
    """

    box: Box
    points: Points
    score: float
    certainty: float
    roll: float


class FaceSearch:
    """Picture -> its faces, the largest first.

    Raises:
        AssetError: a model has not been fetched.
    """

    def __init__(self):
        self._detector = FaceDetector(asset_path("face_detector"))
        self._landmarker = FaceLandmarker()

    def __call__(self, rgb: Image, near: Sequence[Box] = (), *, thorough: bool = False) -> list[SeenFace]:
        """The faces of a picture.

        Args:
            near: boxes of faces of a picture shortly before.
            thorough: search ever smaller windows until there is a face.
        """
        scale = min(1.0, WORK_SIDE / max(rgb.shape[:2]))
        small = rgb if scale == 1 else cv2.resize(rgb, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        known = [box * scale for box in near if box_side(box) * scale < SMALL_FACE * max(height, width)]
        detections = self._detector.detect(small)
        detections += self._in_windows(small, [_window_around(box, height, width) for box in known])
        found = self._seen(small, merge(detections))
        for division in DIVISIONS if thorough else ():
            if found:
                break
            windows = squares(height, width, max(1, min(height, width) // division))
            found = self._seen(small, merge(self._in_windows(small, windows)))
        return [replace(face, box=face.box / scale, points=face.points / scale) for face in found]

    def _in_windows(self, rgb: Image, windows: Iterable[tuple[int, int, int]]) -> list[Detection]:
        height, width = rgb.shape[:2]
        found = []
        for x, y, side in windows:
            for detection in self._detector.detect(rgb[y : y + side, x : x + side]):
                box = detection.box + [x, y, x, y]
                margin = CUT_OFF * side
                inner = np.array([x > 0, y > 0, x + side < width, y + side < height])
                room = np.array([box[0] - x, box[1] - y, x + side - box[2], y + side - box[3]])
                if not (inner & (room < margin)).any():
                    found.append(Detection(box, detection.points + [x, y], detection.score))
        return found

    def _seen(self, rgb: Image, detections: list[Detection]) -> list[SeenFace]:
        seen = []
        for detection in sorted(detections, key=lambda d: -box_side(d.box))[:MOST_FACES]:
            found = self._landmarker.refine(rgb, region_of_detection(detection))
            if found is not None:
                certainty = math.log(found.score / max(1 - found.score, 1e-15))
                roll = region_of_points(found.points).angle
                seen.append(SeenFace(detection.box, found.points, detection.score, certainty, roll))
        return seen


def squares(height: int, width: int, side: int) -> Iterator[tuple[int, int, int]]:
    """Left, top and side of squares that cover a picture and overlap by half."""

    def starts(length: int) -> list[int]:
        count = 1 + math.ceil(max(length - side, 0) / (side / 2))
        return [round(start) for start in np.linspace(0, max(length - side, 0), count)]

    return ((x, y, side) for y, x in itertools.product(starts(height), starts(width)))


def _window_around(box: Box, height: int, width: int) -> tuple[int, int, int]:
    side = min(height, width, math.ceil(WINDOW * box_side(box)))
    x, y = (box[:2] + box[2:] - side) / 2
    return round(min(max(x, 0), width - side)), round(min(max(y, 0), height - side)), side
