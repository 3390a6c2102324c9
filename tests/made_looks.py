"""Faces of landmarks alone, whose lids, lips and irises are where a test wants them."""

import numpy as np

from imavatar.evaluation.looks import FacePoints
from imavatar.head.apertures import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS
from imavatar.head.mesh_points import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

HEIGHT = 200.0
"""Of the face, pixels."""
EYE = 30.0
"""Width of an eye, pixels."""
OPEN = 0.05
"""Of lids, in shares of the face's height."""


def face(lids=(OPEN, OPEN), lips: float = 0.0, gaze=(0.0, 0.0)) -> FacePoints:
    """A face with these apertures, in shares of its height; irises across and up, in eyes' widths."""
    points = np.full((468, 2), (100.0, 150.0))
    points[10], points[152] = (100.0, 0.0), (100.0, HEIGHT)
    for pairs, x, y, aperture in (
        (RIGHT_LIDS, 60.0, 80.0, lids[0]),
        (LEFT_LIDS, 140.0, 80.0, lids[1]),
        (INNER_LIPS, 100.0, 150.0, lips),
    ):
        for upper, lower in pairs:
            points[upper], points[lower] = (x, y), (x, y + aperture * HEIGHT)
    irises = np.zeros((2, 2))
    for eye, ((first, last), x) in enumerate(((RIGHT_EYE_CORNERS, 60.0), (LEFT_EYE_CORNERS[::-1], 140.0))):
        points[first], points[last] = (x - EYE / 2, 80.0), (x + EYE / 2, 80.0)
        irises[eye] = x + gaze[0] * EYE, 80.0 - gaze[1] * EYE
    return FacePoints(points, irises)
