"""Regions of the image and their crops."""

import cv2
import numpy as np
import pytest

from imavatar.preprocessing.detection import Detection
from imavatar.preprocessing.landmarks import Region, apply_affine, region_of_detection

REGION = Region(np.array([100.0, 80.0]), 60.0, 0.4)


def test_crop_and_image_coordinates_round_trip():
    points = np.random.default_rng(0).uniform(0, 64, (9, 2))
    matrix = REGION.to_image(64)
    back = apply_affine(cv2.invertAffineTransform(matrix), apply_affine(matrix, points))
    np.testing.assert_allclose(back, points, atol=1e-9)
    middle = apply_affine(matrix, np.full((1, 2), 31.5))
    np.testing.assert_allclose(middle, REGION.centre[None])


def test_a_crop_shows_what_its_map_says():
    rgb = np.zeros((160, 200, 3), dtype=np.uint8)
    rgb[70:76, 90:96] = 255
    crop = REGION.crop(rgb, 64)
    row, column = np.argwhere(crop[..., 0] > 0.9).mean(axis=0)
    np.testing.assert_allclose(apply_affine(REGION.to_image(64), np.array([[column, row]])), [[92.5, 72.5]], atol=0.3)


def test_the_region_of_a_detection_turns_with_the_eyes():
    points = np.zeros((6, 2))
    points[1] = 10, 10
    region = region_of_detection(Detection(np.array([0, 0, 40, 20.0]), points, 1.0))
    assert region.angle == pytest.approx(np.pi / 4)
    assert region.side == pytest.approx(60)
    np.testing.assert_allclose(region.centre, [20, 10])
