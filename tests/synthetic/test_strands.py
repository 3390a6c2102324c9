"""Strands of hair on a bald ball."""

import numpy as np
import pytest

from imavatar.synthetic.clothing import Shell
from imavatar.synthetic.mesh_tools import subdivide_with_uv
from imavatar.synthetic.strands import LENGTH, TONES, grow_strands

RADIUS, THICKNESS, SCALE = 0.1, 0.01, 4.0


def icosahedron():
    golden = (1 + 5**0.5) / 2
    corners = [(a, b * golden, 0) for a in (-1, 1) for b in (-1, 1)]
    vertices = np.array([np.roll(c, k) for k in range(3) for c in corners], dtype=float)
    vertices *= RADIUS / np.linalg.norm(vertices[0])
    faces = []
    for a in range(12):
        for b in range(a + 1, 12):
            for c in range(b + 1, 12):
                sides = [np.linalg.norm(vertices[i] - vertices[j]) for i, j in ((a, b), (b, c), (c, a))]
                if max(sides) < 1.1 * RADIUS:
                    outward = np.dot(np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a]), vertices[a]) > 0
                    faces.append((a, b, c) if outward else (a, c, b))
    return vertices, np.array(faces)


@pytest.fixture(scope="module")
def ball():
    """Vertices, and hair on the upper half."""
    vertices, faces = icosahedron()
    mesh = subdivide_with_uv(faces, np.zeros((len(faces), 3, 2)), 3)
    place = mesh.interpolate(vertices)
    offset = np.where(place[:, 1] > 0, THICKNESS, -0.004)
    shell = Shell(mesh, offset, np.zeros((len(place), 3)))
    return vertices, grow_strands(shell, vertices, place, 300, seed=1)


def test_strands_start_under_the_skin_of_the_hair_and_stay_near_it(ball):
    vertices, strands = ball
    points = strands.posed(vertices, 1.0)
    assert points.shape[0] == 300
    radius = np.linalg.norm(points, axis=-1)
    assert (points[:, 0, 1] > -0.02).all()
    assert (radius[:, 0] < RADIUS).all()
    assert radius.max() < RADIUS + 2.5 * THICKNESS
    assert (np.linalg.norm(points[:, -1] - points[:, 0], axis=-1) < 1.6 * LENGTH).all()
    assert set(strands.tone) == set(range(len(TONES)))


def test_strands_follow_a_rigid_motion_and_another_unit(ball):
    vertices, strands = ball
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    shift = np.array([0.3, -0.2, 0.1])
    expected = SCALE * strands.posed(vertices, 1.0) @ turn.T + shift
    np.testing.assert_allclose(strands.posed(SCALE * vertices @ turn.T + shift, SCALE), expected, atol=1e-6)


def test_the_same_seed_grows_the_same_strands(ball):
    vertices, strands = ball
    shell = Shell(strands.mesh, np.full(len(strands.mesh.corners), THICKNESS), np.zeros((len(strands.mesh.corners), 3)))
    place = strands.mesh.interpolate(vertices)
    first, again, other = (grow_strands(shell, vertices, place, 20, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.points, again.points)
    assert not np.array_equal(first.points, other.points)
