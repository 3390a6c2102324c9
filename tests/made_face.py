"""Landmarks of an upright face made by hand: its outline an ellipse, lids, brows and lips smaller ones within."""

import numpy as np

from imavatar.head import mesh_points
from imavatar.preprocessing.landmarks import FaceLandmarks

SIZE = 200
"""Pixels of the image that the face is in."""
OVAL, RADII = (100, 100), (40, 50)
"""Middle and half axes of the face's outline."""


def ellipse(count: int, centre, radii, start: float) -> np.ndarray:
    """Points of an ellipse, clockwise in the image."""
    angle = start + 2 * np.pi * np.arange(count) / count
    return np.array(centre) + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii


def made_face(scale: float = 1.0, shift=(0.0, 0.0)) -> FaceLandmarks:
    """The face, scaled about the image's corner and then moved."""
    points = np.full((468, 2), 100.0)
    loops = (
        (mesh_points.FACE_OVAL, OVAL, RADII, -np.pi / 2),
        (mesh_points.LIPS_OUTER, (100, 125), (16, 12), np.pi),
        (mesh_points.LIPS_INNER, (100, 125), (10, 6), np.pi),
        (mesh_points.RIGHT_EYE, (82, 90), (8, 4), np.pi),
        (mesh_points.LEFT_EYE, (118, 90), (8, 4), 0.0),
        (mesh_points.RIGHT_BROW, (82, 78), (10, 2), np.pi),
        (mesh_points.LEFT_BROW, (118, 78), (10, 2), 0.0),
    )
    for loop, centre, radii, start in loops:
        points[list(loop)] = ellipse(len(loop), centre, radii, start)
    points[2] = 100, 110
    return FaceLandmarks(points * scale + shift, np.full((2, 5, 2), 100.0), 1.0)


def disk(centre, radius: float, size: int = SIZE) -> np.ndarray:
    """Where a disk is; its centre as column and row."""
    rows, columns = np.mgrid[:size, :size]
    return np.hypot(columns - centre[0], rows - centre[1]) < radius


def box(left: int, top: int, right: int, bottom: int, size: int = SIZE) -> np.ndarray:
    """Where a rectangle is; right and bottom excluded."""
    mask = np.zeros((size, size), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask
