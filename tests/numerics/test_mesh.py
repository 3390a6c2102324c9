"""Triangle meshes: normals and areas against solids, finer meshes by Euler's formula."""

import numpy as np
import pytest
import torch

from imavatar.numerics.mesh import face_areas, face_normals, subdivide, vertex_normals, with_midpoints
from oracles_ellipsoid_head import ellipsoid


def test_a_closed_mesh_stays_closed_and_keeps_its_surface():
    vertices, faces = (torch.tensor(part) for part in ellipsoid([1.0, 2.0, 0.5], [0, 0, 0], 6, 8))
    finer, ends = subdivide(faces, len(vertices))
    n_edges = len(faces) * 3 // 2
    assert len(finer) == 4 * len(faces) and len(ends) == n_edges
    moved = with_midpoints(vertices, ends)
    assert len(moved) - 2 * n_edges - 3 * len(faces) + len(finer) == 2
    torch.testing.assert_close(face_areas(moved, finer).sum(), face_areas(vertices, faces).sum())
    torch.testing.assert_close(moved[len(vertices) :], (vertices[ends[:, 0]] + vertices[ends[:, 1]]) / 2)
    directed = torch.cat([finer[:, [0, 1]], finer[:, [1, 2]], finer[:, [2, 0]]])
    assert len(torch.unique(directed, dim=0)) == len(directed)
    assert set(map(tuple, directed.tolist())) == {(b, a) for a, b in directed.tolist()}


def test_normals_of_a_tetrahedron_point_away_from_its_middle():
    vertices = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    np.testing.assert_allclose(vertex_normals(vertices, faces), vertices / np.sqrt(3), atol=1e-12)


def test_normals_of_a_sphere_are_its_points():
    vertices, faces = ellipsoid([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], 24, 32)
    normals = vertex_normals(vertices.astype(np.float64), faces)
    assert (normals * vertices).sum(axis=1).min() > 0.99


def test_a_vertex_without_a_face_has_no_normal():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]])
    normals = vertex_normals(vertices, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(normals, [[0, 0, 1]] * 3 + [[0, 0, 0]])


def test_areas_are_those_of_the_triangles_and_half_as_long_as_the_faces_normals():
    vertices = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 2]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [1, 2, 3]])
    # 3 x 4 / 2, 4 x 2 / 2, and by Heron's formula sides 5, sqrt(20), sqrt(13).
    s = (5 + 20**0.5 + 13**0.5) / 2
    expected = [6, 4, (s * (s - 5) * (s - 20**0.5) * (s - 13**0.5)) ** 0.5]
    assert face_areas(torch.tensor(vertices), torch.tensor(faces)).tolist() == pytest.approx(expected)
    np.testing.assert_allclose(np.linalg.norm(face_normals(vertices, faces), axis=1) / 2, expected)
