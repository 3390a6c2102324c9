"""Labels of a face made by hand."""

import numpy as np

from imavatar.head.mesh_points import FACE_OVAL, LIPS_INNER, LIPS_OUTER
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.semantics import CLOTH, HAIR, MOUTH, NECK, SKIN, label_semantics


def _ellipse(count: int, centre, radii, start: float) -> np.ndarray:
    angle = start + 2 * np.pi * np.arange(count) / count
    return np.array(centre) + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii


def _face() -> FaceLandmarks:
    points = np.full((468, 2), 100.0)
    points[list(FACE_OVAL)] = _ellipse(36, (100, 100), (40, 50), -np.pi / 2)
    points[list(LIPS_OUTER)] = _ellipse(20, (100, 125), (16, 12), np.pi)
    points[list(LIPS_INNER)] = _ellipse(20, (100, 125), (10, 6), np.pi)
    return FaceLandmarks(points, np.full((2, 5, 2), 100.0), 1.0)


def test_labels_lie_where_the_landmarks_say():
    alpha = np.zeros((260, 200))
    alpha[20:, 20:180] = 1
    labels = label_semantics(alpha, _face())
    rows_columns = {(80, 75): SKIN, (125, 100): MOUTH, (116, 100): 12, (134, 100): 13}
    rows_columns |= {(30, 100): HAIR, (160, 100): NECK, (250, 100): CLOTH, (5, 5): 0}
    assert {at: int(labels[at]) for at in rows_columns} == rows_columns
    assert not labels[alpha == 0].any()


def test_only_skin_coloured_pixels_are_neck():
    rgb = np.full((260, 200, 3), (210, 160, 140), dtype=np.uint8)
    rgb[165:] = 20, 30, 160
    labels = label_semantics(np.ones((260, 200)), _face(), rgb)
    assert labels[158, 100] == NECK
    assert labels[168, 100] == CLOTH
