"""Regions of the image and their crops."""

import cv2
import numpy as np
import pytest

from imavatar.preprocessing.detection import Detection
from imavatar.preprocessing.landmarks import Region, apply_affine, region_of_detection

REGION = Region(np.array([100.0, 80.0]), 60.0, 0.4)


@pytest.mark.parametrize("mirrored", [False, True])
def test_crop_and_image_coordinates_round_trip(mirrored):
    points = np.random.default_rng(0).uniform(0, 64, (9, 2))
    matrix = REGION.to_image(64, mirrored=mirrored)
    back = apply_affine(cv2.invertAffineTransform(matrix), apply_affine(matrix, points))
    np.testing.assert_allclose(back, points, atol=1e-9)
    middle = apply_affine(matrix, np.full((1, 2), 31.5))
    np.testing.assert_allclose(middle, REGION.centre[None])


def test_a_mirrored_crop_is_the_crop_flipped():
    rgb = np.random.default_rng(0).integers(0, 256, (160, 200, 3), dtype=np.uint8)
    plain, mirrored = REGION.crop(rgb, 64), REGION.crop(rgb, 64, mirrored=True)
    assert np.abs(plain[:, ::-1] - mirrored).mean() < 0.02


def test_the_region_of_a_detection_turns_with_the_eyes():
    points = np.zeros((6, 2))
    points[1] = 10, 10
    region = region_of_detection(Detection(np.array([0, 0, 40, 20.0]), points, 1.0))
    assert region.angle == pytest.approx(np.pi / 4)
    assert region.side == pytest.approx(60)
    np.testing.assert_allclose(region.centre, [20, 10])
