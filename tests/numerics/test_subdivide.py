"""Finer meshes: counts by Euler's formula, equal area, midpoints."""

import torch

from imavatar.numerics.subdivide import subdivide, with_midpoints
from oracles_ellipsoid_head import ellipsoid


def area(vertices, faces):
    a, b, c = vertices[faces].unbind(dim=1)
    return torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2


def test_a_closed_mesh_stays_closed_and_keeps_its_surface():
    vertices, faces = (torch.tensor(part) for part in ellipsoid([1.0, 2.0, 0.5], [0, 0, 0], 6, 8))
    finer, ends = subdivide(faces, len(vertices))
    n_edges = len(faces) * 3 // 2
    assert len(finer) == 4 * len(faces) and len(ends) == n_edges
    moved = with_midpoints(vertices, ends)
    assert len(moved) - 2 * n_edges - 3 * len(faces) + len(finer) == 2
    torch.testing.assert_close(area(moved, finer), area(vertices, faces))
    torch.testing.assert_close(moved[len(vertices) :], (vertices[ends[:, 0]] + vertices[ends[:, 1]]) / 2)
    directed = torch.cat([finer[:, [0, 1]], finer[:, [1, 2]], finer[:, [2, 0]]])
    assert len(torch.unique(directed, dim=0)) == len(directed)
    assert set(map(tuple, directed.tolist())) == {(b, a) for a, b in directed.tolist()}
