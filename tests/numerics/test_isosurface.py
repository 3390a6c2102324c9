"""Meshes of fields whose zero sets are known."""

import math

import pytest
import torch
import trimesh

from imavatar.errors import ImavatarError
from imavatar.numerics.isosurface import extract_isosurface, largest_component

BOUND = 1.2


def sphere(x, radius=0.6):
    return x.norm(dim=-1) - radius


def torus(x):
    ring = torch.stack([x[:, :2].norm(dim=-1) - 0.6, x[:, 2]], dim=-1)
    return ring.norm(dim=-1) - 0.15


def two_spheres(x):
    offset = torch.tensor([0.5, 0.0, 0.0])
    return torch.minimum(sphere(x - offset, 0.3), sphere(x + offset, 0.2))


def plate(x):
    """A box 1 x 0.8 x 0.02: thinner than the scanning grid's cells, and than the coarse levels'."""
    beyond = x.abs() - torch.tensor([0.5, 0.4, 0.01])
    return beyond.clamp(min=0).norm(dim=-1) + beyond.amax(dim=-1).clamp(max=0)


def as_trimesh(vertices, faces):
    return trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False)


@pytest.mark.parametrize("resolution", [32, 64])
@pytest.mark.parametrize("field", [sphere, torus, two_spheres])
def test_vertices_lie_within_the_squared_spacing_of_the_surface(field, resolution):
    vertices, _, spacing = extract_isosurface(field, resolution=resolution, bound=BOUND)
    assert field(vertices).abs().max() < spacing**2


@pytest.mark.parametrize(("field", "euler"), [(sphere, 2), (torus, 0), (two_spheres, 4)])
def test_meshes_are_closed_and_have_the_euler_number_of_the_surface(field, euler):
    vertices, faces, _ = extract_isosurface(field, resolution=50, bound=BOUND)
    mesh = as_trimesh(vertices, faces)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.euler_number == euler


def test_face_normals_point_to_positive_values():
    vertices, faces, _ = extract_isosurface(torus, resolution=50, bound=BOUND)
    a, b, c = vertices[faces].unbind(dim=1)
    normal = torch.linalg.cross(b - a, c - a, dim=-1)
    centre = (a + b + c) / 3
    step = 0.02 * torch.nn.functional.normalize(normal, dim=-1)
    large = normal.norm(dim=-1) > 1e-6
    assert (torus(centre + step) > torus(centre))[large].all()
    assert (torus(centre + step) > 0)[large].all()


def test_the_volume_of_a_sphere_is_right():
    vertices, faces, _ = extract_isosurface(sphere, resolution=64, bound=BOUND)
    assert as_trimesh(vertices, faces).volume == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=2e-3)


def test_the_chunk_size_does_not_change_the_mesh():
    meshes = [extract_isosurface(torus, resolution=50, bound=BOUND, chunk=chunk) for chunk in (1009, 10**7)]
    assert torch.equal(meshes[0][1], meshes[1][1])
    torch.testing.assert_close(meshes[0][0], meshes[1][0])


def test_the_narrow_band_finds_what_a_full_grid_finds():
    vertices, faces, spacing = extract_isosurface(two_spheres, resolution=96, bound=BOUND)
    calls = []

    def counted(x):
        calls.append(len(x))
        return two_spheres(x)

    extract_isosurface(counted, resolution=96, bound=BOUND)
    cells = BOUND * 2 / spacing
    assert sum(calls) < 0.1 * cells**3
    expected = 4 / 3 * math.pi * (0.3**3 + 0.2**3)
    assert as_trimesh(vertices, faces).volume == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("factor", [0.02, 1.0, 30.0])
def test_a_plate_thinner_than_the_scanning_cells_is_found_whole_at_any_slope(factor):
    vertices, faces, spacing = extract_isosurface(lambda x: factor * plate(x), resolution=192, bound=BOUND)
    mesh = as_trimesh(vertices, faces)
    assert mesh.is_watertight
    assert mesh.euler_number == 2
    assert mesh.volume == pytest.approx(0.016, rel=0.05)
    torch.testing.assert_close(vertices.amax(dim=0), torch.tensor([0.5, 0.4, 0.01]), atol=spacing, rtol=0)


def test_a_field_that_is_not_a_distance_gives_the_same_surface():
    def warped(x):
        return sphere(x) * (3 + 2 * torch.sin(4 * x[:, 0])) * (0.3 + x.norm(dim=-1)) ** 3

    vertices, faces, _ = extract_isosurface(warped, resolution=64, bound=BOUND)
    assert as_trimesh(vertices, faces).is_watertight
    assert sphere(vertices).abs().max() < 3e-3


def test_a_field_without_a_zero_set_gives_an_empty_mesh():
    vertices, faces, _ = extract_isosurface(lambda x: x.norm(dim=-1) + 0.1, resolution=32, bound=BOUND)
    assert vertices.shape == (0, 3)
    assert faces.shape == (0, 3)


def test_a_surface_that_leaves_the_cube_is_cut_at_its_sides():
    vertices, faces, spacing = extract_isosurface(lambda x: x[:, 1] - 0.1, resolution=32, bound=BOUND)
    assert len(faces) > 0
    # A vertex stays a thousandth of an edge away from grid points, which lie on this plane.
    torch.testing.assert_close(vertices[:, 1], torch.full((len(vertices),), 0.1), atol=2e-3 * spacing, rtol=0)
    assert vertices.abs().max() < BOUND + 2 * spacing


def test_values_that_are_not_finite_are_refused_with_an_explanation():
    with pytest.raises(ImavatarError, match="not finite at 15625 of 15625"):
        extract_isosurface(lambda x: x[:, 0] * math.nan, resolution=32, bound=BOUND)


def test_the_largest_component_of_two_spheres_is_the_larger_one():
    vertices, faces, _ = extract_isosurface(two_spheres, resolution=50, bound=BOUND)
    kept_vertices, kept_faces = largest_component(vertices, faces)
    mesh = as_trimesh(kept_vertices, kept_faces)
    assert mesh.euler_number == 2
    assert mesh.is_watertight
    assert kept_vertices[:, 0].min() > 0.19
    assert len(kept_faces.unique()) == len(kept_vertices)


def test_the_largest_component_of_nothing_is_nothing():
    vertices, faces = torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.long)
    assert [len(part) for part in largest_component(vertices, faces)] == [0, 0]


@pytest.mark.parametrize("steepness", [1.0, 2.0])
def test_parts_far_smaller_than_the_scanning_cells_are_found_wherever_they_are(steepness):
    number = torch.arange(100) + 0.5
    height, angle = 1 - number / 50, number * 2.39996
    across = (1 - height.square()).sqrt()
    centres = 0.9 * torch.stack([across * angle.cos(), across * angle.sin(), height], dim=-1)

    def field(x):
        """A sphere and 100 beads of a fifth of a scanning cell; steeper inside, as networks can be."""
        beads = torch.cdist(x, centres).amin(dim=-1) - 0.015
        distance = torch.minimum(sphere(x, 0.5), beads)
        return torch.where(distance < 0, steepness * distance, distance)

    vertices, faces, _ = extract_isosurface(field, resolution=200, bound=BOUND)
    assert as_trimesh(vertices, faces).euler_number == 2 * 101
