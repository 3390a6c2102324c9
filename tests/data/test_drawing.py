"""A mesh over an image: at its place, whichever way the camera mirrors it."""

import numpy as np
import pytest

from imavatar.data.drawing import draw_mesh
from oracles_ellipsoid_head import ellipsoid

SIZE, FOCAL, CENTRE = 120, 120.0, (59.5, 59.5)


def drawn(mirrored: bool, **how) -> np.ndarray:
    """Which pixels a sphere changes that is four units before the camera, to the right and above."""
    vertices, faces = ellipsoid([1, 1, 1], [0.5, 0.25, -4], 24, 32)
    pixels = CENTRE + FOCAL * vertices[:, :2] / -vertices[:, 2:] * [-1 if mirrored else 1, -1]
    image = np.full((SIZE, SIZE, 3), 30, np.uint8)
    return (draw_mesh(image, vertices, pixels, faces, **how) != 30).any(axis=-1)


@pytest.mark.parametrize("how", [{}, {"cull": True}, {"largest": 60}])
def test_a_sphere_covers_its_outline(how):
    v, u = np.nonzero(drawn(mirrored=False, **how))
    expected = CENTRE + FOCAL / 4 * np.array([0.5, -0.25])
    assert np.abs([u.mean(), v.mean()] - expected).max() < 3
    assert len(u) == pytest.approx(np.pi * FOCAL**2 / (4**2 - 1), rel=0.1)


def test_a_mirroring_camera_shows_the_mirrored_mesh():
    assert np.array_equal(drawn(mirrored=True), drawn(mirrored=False)[:, ::-1])
