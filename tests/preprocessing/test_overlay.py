"""Overlay pictures: what is drawn, where."""

import numpy as np
import pytest

from imavatar.preprocessing.recording_files import DETECTED, FITTED, draw_points, overlay_frame
from oracles_ellipsoid_head import ellipsoid


@pytest.fixture(scope="module")
def sphere():
    """Radius 1, four units in front of the camera."""
    return ellipsoid([1, 1, 1], [0, 0, -4], 24, 32)


def draw(sphere, size=200, focal=200.0, points=((20.5, 30.5),)):
    """A grey image with the sphere over it."""
    image = np.full((size, size, 3), 100, np.uint8)
    nothing = np.zeros((0, 2))
    return overlay_frame(image, *sphere, (focal, size / 2, size / 2), nothing, np.array(points), "")


def test_the_left_half_is_the_image_and_the_right_half_the_mesh_at_its_place(sphere):
    picture = draw(sphere)
    assert picture.shape == (200, 400, 3)
    assert (picture[:, :200] == 100).all()
    changed = (picture[:, 200:] != 100).any(axis=-1)
    changed[30, 20] = False
    v, u = np.nonzero(changed)
    radius = 200 / np.sqrt(4**2 - 1)  # of the sphere's outline
    assert np.hypot(u + 0.5 - 100, v + 0.5 - 100).max() < radius + 2
    assert changed.sum() == pytest.approx(np.pi * radius**2, rel=0.05)


def test_a_large_image_shows_the_mesh_at_the_same_place(sphere):
    picture = draw(sphere, size=600, focal=600.0)
    v, u = np.nonzero((picture[:, 600:] != 100).any(axis=-1))
    assert u.mean() + 0.5 == pytest.approx(300, abs=3)
    assert v.mean() + 0.5 == pytest.approx(300, abs=3)


def test_a_point_covers_the_pixel_that_it_falls_into_and_none_outside_the_image():
    image = np.zeros((10, 12, 3), np.uint8)
    draw_points(image, np.array([[3.2, 7.9], [-1, 2], [12.0, 2], [5, 10.0]]), FITTED)
    v, u = np.nonzero(image.any(axis=-1))
    assert list(zip(u, v, strict=True)) == [(3, 7)]
    assert (image[7, 3] == FITTED).all()


def test_fitted_points_lie_over_detected_ones(sphere):
    image = np.zeros((50, 50, 3), np.uint8)
    point = np.array([[40.0, 45.0]])
    picture = overlay_frame(image, *sphere, (50.0, 25.0, 25.0), point + [[4, 0]], point, "")
    assert (picture[45, 90] == FITTED).all()
    assert (picture[45, 94] == DETECTED).all()
