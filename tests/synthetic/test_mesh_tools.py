"""Finer meshes, noise and textures, against a sphere and a plane."""

import numpy as np
import pytest

from imavatar.synthetic.mesh_tools import sample_texture, subdivide_with_uv, value_noise
from oracles_ellipsoid_head import ellipsoid


def sphere():
    vertices, faces = ellipsoid([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], 24, 32)
    return np.asarray(vertices, np.float64), np.asarray(faces)


def area(vertices, faces) -> float:
    corner = vertices[faces]
    return np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).sum() / 2


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_finer_mesh_is_the_same_surface_without_seams(parts):
    vertices, faces = sphere()
    fine = subdivide_with_uv(faces, np.zeros((len(faces), 3, 2)), parts)
    assert len(fine.faces) == parts**2 * len(faces)
    points = fine.interpolate(vertices)
    assert area(points, fine.faces) == pytest.approx(area(vertices, faces))
    edges = np.sort(np.concatenate([fine.faces[:, [0, 1]], fine.faces[:, [1, 2]], fine.faces[:, [2, 0]]]), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 2).all()


def test_noise_is_bounded_continuous_and_seeded():
    points = np.random.default_rng(0).uniform(-1, 1, size=(500, 3))
    noise = value_noise(points, seed=1, frequency=5.0)
    assert np.abs(noise).max() <= 1 and noise.std() > 0.1
    assert np.abs(value_noise(points + 1e-5, seed=1, frequency=5.0) - noise).max() < 1e-3
    assert not np.allclose(value_noise(points, seed=2, frequency=5.0), noise)


def test_a_texture_is_read_upwards_from_its_lower_edge():
    rows = np.repeat(np.linspace(1, 0, 64)[:, None], 8, axis=1)
    v = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(sample_texture(rows, np.stack([np.full(3, 0.5), v], axis=1)), v, atol=0.02)
