"""The z-buffer against ray casting, known planes and its own symmetries."""

import numpy as np
import pytest

from imavatar.numerics.rasterize import rasterize


@pytest.fixture
def soup():
    """Random triangles in front of a camera: pixels, depths, faces."""
    generator = np.random.default_rng(1)
    centre = generator.uniform(5, 35, (30, 1, 2))
    pixels = (centre + generator.normal(size=(30, 3, 2)) * 7).reshape(-1, 2)
    depth = generator.uniform(1, 3, 90)
    return pixels, depth, np.arange(90).reshape(30, 3)


def cast(pixels, depth, faces, u, v):
    """The nearest face at one pixel by intersecting its ray with each triangle's plane in space; focal length 1."""
    points = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1) * depth[:, None]
    best = (np.inf, -1, None)
    for index, face in enumerate(faces):
        weights = np.linalg.solve(points[face].T, np.array([u, v, 1.0]))  # ray = sum of weights * corners
        if (weights >= 0).all():
            z = 1 / weights.sum()
            best = min(best, (z, index, weights / weights.sum()), key=lambda item: item[0])
    return best


def test_every_pixel_agrees_with_a_ray_cast_at_the_triangles_in_space(soup):
    raster = rasterize(*soup, (40, 40))
    for v in range(0, 40, 3):
        for u in range(0, 40, 3):
            z, face, weights = cast(*soup, u, v)
            assert raster.face[v, u] == face
            if face >= 0:
                assert raster.depth[v, u] == pytest.approx(z)
                np.testing.assert_allclose(raster.barycentric[v, u], weights, atol=1e-5)


def test_pixels_without_a_face_have_index_minus_one_and_infinite_depth(soup):
    raster = rasterize(*soup, (40, 40))
    assert (~raster.covered).any() and raster.covered.any()
    assert np.isinf(raster.depth[~raster.covered]).all()
    assert (raster.face[~raster.covered] == -1).all()


def test_faces_far_outside_behind_or_not_finite_do_no_harm(soup):
    pixels, depth, faces = soup
    plain = rasterize(*soup, (40, 40))
    odd = np.array([[-1e30, 5.0], [1e30, 1e30], [np.nan, 3.0], [np.inf, 1.0], [2.0, 2.0], [30.0, 4.0]])
    n = len(pixels)
    more = np.array([[n + 2, n + 4, n + 5], [n + 3, n + 4, n + 5], [n, n + 1, n + 1]])
    behind = np.array([[n + 4, n + 5, 0]])
    found = rasterize(
        np.concatenate([pixels, odd]),
        np.concatenate([depth, [1.0, 1.0, 1.0, 1.0, -1.0, 0.0]]),
        np.concatenate([faces, more, behind]),
        (40, 40),
    )
    np.testing.assert_array_equal(found.face, plain.face)
    huge = rasterize(np.array([[-1e30, -1e30], [1e30, -1e30], [0.0, 1e30]]), np.ones(3), np.array([[0, 1, 2]]), (9, 9))
    assert huge.covered.all()


def test_of_two_faces_at_one_depth_the_first_is_seen():
    pixels = np.array([[0.0, 0], [10, 0], [0, 10]])
    assert (rasterize(pixels, np.ones(3), np.array([[0, 1, 2], [0, 2, 1]]), (11, 11)).face <= 0).all()


def test_without_perspective_a_slanted_plane_is_linear_in_the_image():
    pixels = np.array([[0.0, 0], [20, 0], [0, 20]])
    raster = rasterize(pixels, np.array([1.0, 3, 1]), np.array([[0, 1, 2]]), (21, 21), perspective=False)
    v, u = np.nonzero(raster.covered)
    np.testing.assert_allclose(raster.depth[v, u], 1 + u / 10)


def test_values_at_the_vertices_are_interpolated_exactly_for_linear_functions():
    pixels = np.array([[2.0, 1], [17, 4], [6, 18]])
    faces = np.array([[0, 1, 2]])
    raster = rasterize(pixels, np.ones(3), faces, (20, 20))
    image = raster.interpolate(pixels, faces, background=-1)
    v, u = np.nonzero(raster.covered)
    np.testing.assert_allclose(image[v, u], np.stack([u, v], axis=1), atol=1e-4)
    assert (image[~raster.covered] == -1).all()


def test_culling_keeps_faces_that_turn_counter_clockwise_with_y_up():
    pixels = np.array([[0.0, 10], [10, 10], [0, 0]])  # right, then up on the screen
    for face, seen in (([0, 1, 2], True), ([0, 2, 1], False)):
        assert rasterize(pixels, np.ones(3), np.array([face]), (11, 11), cull=True).covered.any() == seen


def test_two_triangles_that_share_a_side_leave_no_gap():
    generator = np.random.default_rng(0)
    for _ in range(20):
        pixels = np.array([[1.0, 1], [30, 2], [29, 30], [2, 28]]) + generator.uniform(-0.9, 0.9, (4, 2))
        raster = rasterize(pixels, np.ones(4), np.array([[0, 1, 2], [0, 2, 3]]), (32, 32))
        assert raster.covered[4:26, 4:26].all()


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), np.array([[0, 1, 1]]), np.array([[0, 1, 2]])])
def test_nothing_is_drawn_of_no_flat_or_hidden_faces(faces):
    pixels = np.array([[0.0, 0], [9, 0], [0, 9]])
    raster = rasterize(pixels, np.array([1.0, 1, -1]), faces, (10, 10))
    assert not raster.covered.any()


def test_faces_outside_the_picture_are_left_out():
    pixels = np.array([[100.0, 0], [110, 0], [100, 9], [-30, -30], [-20, -30], [-30, -20]])
    assert not rasterize(pixels, np.ones(6), np.arange(6).reshape(2, 3), (10, 10)).covered.any()
