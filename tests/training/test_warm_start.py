"""The start from the head: distances to a closed and an open mesh, and fields that are solved for."""

import torch

from imavatar.fields.deformer import Deformer
from imavatar.losses import HeadSupervision
from imavatar.training.head_samples import HeadSurface, connected_parts, rim_faces, sample_distances
from imavatar.training.warm_start import regress, solve_blendshapes
from imavatar.types import DeformationFields, PosedHead
from oracles_ellipsoid_head import ellipsoid


def sphere(radius: float, centre=(0.0, 0.0, 0.0)) -> tuple[torch.Tensor, torch.Tensor]:
    vertices, faces = ellipsoid([radius] * 3, list(centre), 32, 48)
    return torch.tensor(vertices).float(), torch.tensor(faces)


def fields(n: int) -> DeformationFields:
    return DeformationFields(torch.zeros(n, 3, 50), torch.zeros(n, 36, 3), torch.ones(n, 6) / 6)


def surface(*parts) -> HeadSurface:
    vertices, faces, start = [], [], 0
    for part_vertices, part_faces in parts:
        vertices.append(part_vertices)
        faces.append(part_faces + start)
        start += len(part_vertices)
    vertices = torch.cat(vertices)
    return HeadSurface(HeadSupervision(vertices, fields(len(vertices))), torch.cat(faces))


def test_distances_are_those_to_the_union_of_the_parts():
    centre = torch.tensor([0.4, 0.0, 0.0])
    head = surface(sphere(0.5), sphere(0.3, centre.tolist()))
    samples = sample_distances(head, 1.2, torch.Generator().manual_seed(0))
    points, distance = samples.points, samples.distances
    expected = torch.minimum(points.norm(dim=1) - 0.5, (points - centre).norm(dim=1) - 0.3)
    outside = expected > 0.01  # inside an overlap the union's distance is only a bound
    assert (distance - expected)[outside].abs().max() < 0.005
    assert (distance[expected < -0.01] < 0).all()


def test_points_whose_nearest_surface_is_a_rim_are_left_out():
    vertices, faces = sphere(0.5)
    open_faces = faces[(vertices[faces][..., 1] > -0.3).all(dim=1)]
    head = HeadSurface(HeadSupervision(vertices, fields(len(vertices))), open_faces)
    points = sample_distances(head, 1.2, torch.Generator().manual_seed(0)).points
    below = points[(points[:, 1] < -0.5) & (points[:, [0, 2]].norm(dim=1) < 0.3)]
    assert len(below) == 0
    assert (points[:, 1] > 0.5).any()


def test_the_rim_is_where_a_face_has_no_neighbour():
    _, faces = sphere(0.5)
    assert not rim_faces(faces).any()
    assert rim_faces(faces[1:]).any()
    assert rim_faces(faces[:1]).all()


def test_parts_are_told_apart():
    first, second = sphere(0.5), sphere(0.3)
    parts = connected_parts(torch.cat([first[1], second[1] + len(first[0])]), len(first[0]) + len(second[0]))
    assert sorted(len(part) for part in parts) == sorted([len(first[1]), len(second[1])])


def test_regression_reaches_a_minimum_and_says_where_it_ended():
    value = torch.nn.Parameter(torch.tensor([3.0]))
    final = regress([([value], 0.2)], lambda: (value - 1).square().sum(), 200, "a number")
    assert final < 1e-3 and abs(value.item() - 1) < 0.05


def test_blendshapes_that_are_linear_in_the_hidden_layer_are_solved_exactly():
    identity = torch.eye(4).expand(1, 6, 4, 4)
    canonical = PosedHead(torch.zeros(1, 50), torch.zeros(1, 53), torch.zeros(1, 36), identity, torch.zeros(1, 0))
    deformer, truth = Deformer(canonical, (16, 16)), Deformer(canonical, (16, 16))
    truth.load_state_dict(deformer.state_dict())
    torch.nn.init.normal_(truth.blendshapes.weight, 0, 0.1)
    points = torch.rand(2000, 3) * 2 - 1
    with torch.no_grad():
        target = truth(points)
        hidden = deformer.features(points)[0]
    solve_blendshapes(deformer.blendshapes, hidden, target)
    found = deformer(points)
    assert (found.shapedirs - target.shapedirs).norm() < 0.02 * target.shapedirs.norm()
    assert (found.posedirs - target.posedirs).norm() < 0.02 * target.posedirs.norm()
