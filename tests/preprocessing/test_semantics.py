"""Labels of a face made by hand."""

import numpy as np

from imavatar.anatomy import ParsingLabel
from imavatar.head.mesh_points import FACE_OVAL, LIPS_INNER, LIPS_OUTER
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.semantics import label_semantics


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
    rows_columns = {
        (80, 75): ParsingLabel.SKIN,
        (125, 100): ParsingLabel.MOUTH_INTERIOR,
        (116, 100): ParsingLabel.UPPER_LIP,
        (134, 100): ParsingLabel.LOWER_LIP,
    }
    rows_columns |= {
        (30, 100): ParsingLabel.HAIR,
        (160, 100): ParsingLabel.NECK,
        (250, 100): ParsingLabel.CLOTH,
        (5, 5): ParsingLabel.BACKGROUND,
    }
    assert {at: int(labels[at]) for at in rows_columns} == rows_columns
    assert not labels[alpha == 0].any()


def test_only_skin_coloured_pixels_are_neck():
    rgb = np.full((260, 200, 3), (210, 160, 140), dtype=np.uint8)
    rgb[165:] = 20, 30, 160
    labels = label_semantics(np.ones((260, 200)), _face(), rgb)
    assert labels[158, 100] == ParsingLabel.NECK
    assert labels[168, 100] == ParsingLabel.CLOTH


def test_hair_that_hangs_below_the_chin_is_hair_and_a_patch_of_its_colour_on_the_clothes_is_not():
    brown = (60, 40, 25)
    rgb = np.full((260, 200, 3), (210, 160, 140), dtype=np.uint8)
    rgb[:45] = rgb[:, :55] = rgb[:, 145:] = brown
    rgb[165:, 55:145] = 20, 30, 160
    rgb[220:240, 90:110] = brown
    labels = label_semantics(np.ones((260, 200)), _face(), rgb)
    for column in (30, 170):
        assert (labels[[60, 140, 200, 250], column] == ParsingLabel.HAIR).all()
    assert labels[200, 100] == ParsingLabel.CLOTH
    assert labels[230, 100] == ParsingLabel.CLOTH


def test_clothes_of_another_colour_than_the_hair_are_cloth_up_to_the_chin():
    rgb = np.full((260, 200, 3), (210, 160, 140), dtype=np.uint8)
    rgb[:45] = rgb[:, :55] = rgb[:, 145:] = 60, 40, 25
    rgb[155:] = 230, 230, 235
    labels = label_semantics(np.ones((260, 200)), _face(), rgb)
    assert (labels[200:, 20:180] == ParsingLabel.CLOTH).all()
