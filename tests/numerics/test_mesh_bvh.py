"""Rays and points against a mesh whose surface is known: an octahedron |x| + |y| + |z| = 1."""

import itertools

import torch

from imavatar.numerics.mesh_bvh import MeshBVH, distance_to_mesh, signed_distance
from oracles_fields import points, rays_from

AXES = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])


def octahedron(scale=1.0):
    faces = []
    for sx, sy, sz in itertools.product((0, 1), repeat=3):
        face = [sx, 2 + sy, 4 + sz]
        faces.append(face if (sx + sy + sz) % 2 == 0 else face[::-1])
    return scale * AXES, torch.tensor(faces)


def rays(n=30, spread=0.6):
    bundle = rays_from(torch.tensor([0.1, 0.2, 3.0], dtype=torch.float64), points(n, scale=spread))
    return bundle.to(dtype=torch.float32)


def on_mesh(vertices, faces, found):
    return (vertices[faces[found.face]] * found.barycentric[..., None]).sum(dim=1)


def test_rays_meet_the_octahedron_on_its_surface_and_at_their_depth():
    vertices, faces = octahedron()
    bundle = rays()
    found = MeshBVH(vertices, faces).cast(bundle.origins, bundle.directions)
    hit = found.face >= 0
    assert 5 < hit.sum() < 30
    meeting = bundle[hit].at(found.depth[hit])
    torch.testing.assert_close(meeting.abs().sum(dim=-1), torch.ones(len(meeting)), rtol=0, atol=1e-5)
    torch.testing.assert_close(on_mesh(vertices, faces, found[hit]), meeting, rtol=0, atol=1e-5)
    # The first meeting: just before it every ray is outside.
    assert (bundle[hit].at(found.depth[hit] - 1e-3).abs().sum(dim=-1) > 1).all()


def test_rays_that_miss_have_no_face():
    vertices, faces = octahedron()
    bundle = rays()
    found = MeshBVH(vertices, faces).cast(bundle.origins, bundle.directions)
    along = bundle.origins[:, None] + torch.linspace(0, 6, 2000)[:, None] * bundle.directions[:, None]
    inside = (along.abs().sum(dim=-1) < 1 - 1e-4).any(dim=-1)
    assert not (inside & (found.face < 0)).any()


def test_a_refitted_mesh_is_met_where_it_was_moved():
    vertices, faces = octahedron()
    index, bundle = MeshBVH(vertices, faces), rays(spread=0.1)
    index.refit(0.5 * vertices)
    moved = index.cast(bundle.origins, bundle.directions)
    anew = MeshBVH(0.5 * vertices, faces).cast(bundle.origins, bundle.directions)
    torch.testing.assert_close(moved.depth, anew.depth)
    assert torch.equal(vertices, octahedron()[0])


def test_a_ray_that_passes_comes_closest_where_dense_samples_do():
    vertices, faces = octahedron()
    bundle = rays_from(
        torch.tensor([0.0, 0.3, 3.0]), torch.tensor([[1.2, 0.1, 0.0], [0.3, 1.3, 0.2], [-0.9, -0.8, 0.0]])
    )
    near, far = torch.full((3,), 1.5), torch.full((3,), 4.5)
    found = MeshBVH(vertices, faces).closest_approach(bundle.origins, bundle.directions, near, far)
    depths = torch.linspace(1.5, 4.5, 3001)
    along = bundle.origins[:, None] + depths[:, None] * bundle.directions[:, None]
    least, _ = signed_distance(vertices, faces, along.reshape(-1, 3))
    least = least.view(3, -1).min(dim=-1)
    gap = (bundle.at(found.depth) - on_mesh(vertices, faces, found)).norm(dim=-1)
    torch.testing.assert_close(gap, least.values, rtol=0, atol=2e-3)


def test_the_signed_distance_of_an_octahedron_is_negative_inside():
    vertices, faces = octahedron()
    x = torch.cat([torch.zeros(1, 3), 2 * AXES, 0.1 * points(10).float()])
    distance, face = signed_distance(vertices, faces, x)
    torch.testing.assert_close(distance[0].item(), -1 / 3**0.5, rtol=0, atol=1e-5)
    torch.testing.assert_close(distance[1:7], torch.ones(6), rtol=0, atol=1e-5)
    # Inside, the closest face is the nearest plane.
    torch.testing.assert_close(distance[7:], (x[7:].abs().sum(dim=-1) - 1) / 3**0.5, rtol=0, atol=1e-5)
    assert ((face >= 0) & (face < 8)).all()


def test_distances_without_a_sign_are_those_with_one():
    vertices, faces = octahedron()
    x = points(200, scale=0.8).float()
    signed, _ = signed_distance(vertices, faces, x)
    assert (signed < 0).any() and (signed > 0).any()
    torch.testing.assert_close(distance_to_mesh(vertices, faces, x), signed.abs())
