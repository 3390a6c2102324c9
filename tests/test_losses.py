"""Each loss term by hand on a few rays."""

import math

import torch

from imavatar import losses
from imavatar.anatomy import SemanticClass
from imavatar.losses import HeadSupervision
from imavatar.types import Batch, Camera, DeformationFields, HeadParameters, RenderOutput, RootStatistics, SurfaceHits

N_BONES = 6


def fields(n: int, value: float = 0.0) -> DeformationFields:
    return DeformationFields(
        torch.full((n, 3, 50), value), torch.full((n, 36, 3), value), torch.full((n, N_BONES), value)
    )


def batch(foreground: list[bool], rgb=None) -> Batch:
    n = len(foreground)
    return Batch(
        frame=torch.zeros(1, dtype=torch.long),
        camera=Camera(torch.ones(1, 4), torch.eye(4)[None]),
        head=HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15)),
        pixels=torch.zeros(n, 2),
        rays_frame=torch.zeros(n, dtype=torch.long),
        rgb=torch.zeros(n, 3) if rgb is None else rgb,
        foreground=torch.tensor(foreground),
        semantics=None,
    )


def render(hit: list[bool], sdf: list[float], converged=None, surface=None, rgb=None) -> RenderOutput:
    n = len(hit)
    index = torch.tensor([0] if surface is None else surface, dtype=torch.long)
    values = torch.tensor(sdf, requires_grad=True)
    hits = SurfaceHits(
        torch.zeros(n),
        torch.tensor(hit),
        torch.zeros(n, 3),
        values.detach(),
        torch.tensor([True] * n if converged is None else converged),
    )
    m = len(index)
    return RenderOutput(
        rgb=torch.ones(n, 3) if rgb is None else rgb,
        normal=torch.zeros(n, 3),
        sdf=values,
        hits=hits,
        surface_index=index,
        x_c=torch.zeros(m, 3),
        geometry_gradient=torch.zeros(m, 3),
        fields=fields(m),
        root_statistics=RootStatistics(torch.zeros(0), torch.zeros(0, dtype=torch.bool)),
    )


def test_the_colour_loss_is_the_sum_over_surface_points_over_all_rays():
    target = torch.zeros(4, 3)
    seen = torch.tensor([[0.5, 0.0, -0.5], [9.0, 9.0, 9.0], [0.0, 0.25, 0.0], [9.0, 9.0, 9.0]])
    value = losses.rgb_loss(render([True] * 4, [0.0] * 4, surface=[0, 2], rgb=seen), batch([True] * 4, target))
    assert math.isclose(float(value), (1.0 + 0.25) / 4)


def test_a_perfect_colour_costs_nothing():
    seen = torch.rand(3, 3)
    assert (
        float(losses.rgb_loss(render([True] * 3, [0.0] * 3, surface=[0, 1, 2], rgb=seen), batch([True] * 3, seen))) == 0
    )


def test_the_mask_loss_counts_converged_rays_that_are_not_in_both_masks():
    alpha = 50.0
    out = render([True, True, False, False], [0.0, -0.02, 0.01, 0.03], converged=[True, True, True, False])
    value = losses.mask_loss(out, batch([True, False, True, False]), alpha)
    # a false hit inside (f = -0.02, target 0) and a miss outside (f = 0.01, target 1)
    entropies = [math.log1p(math.exp(alpha * 0.02)), math.log1p(math.exp(alpha * 0.01))]
    expected = sum(entropies) / (alpha * 4)
    assert math.isclose(value.item(), expected, rel_tol=1e-5)
    value.backward()
    assert out.sdf.grad[0] == 0 and out.sdf.grad[3] == 0
    assert out.sdf.grad[1] < 0 < out.sdf.grad[2]


def supervision() -> HeadSupervision:
    vertices = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    return HeadSupervision(vertices, DeformationFields(torch.ones(2, 3, 50), torch.ones(2, 36, 3), torch.eye(6)[1:3]))


def test_the_nearest_vertex_is_found_and_its_distance_has_a_gradient():
    points = torch.tensor([[0.1, 0.0, 0.0], [0.8, 0.0, 0.0]], requires_grad=True)
    distance, vertex = supervision().nearest(points)
    assert vertex.tolist() == [0, 1]
    torch.testing.assert_close(distance, torch.tensor([0.01, 0.04]))
    distance.sum().backward()
    torch.testing.assert_close(points.grad[:, 0], torch.tensor([0.2, -0.4]))


def test_only_points_near_the_head_are_supervised():
    distance, vertex = torch.tensor([0.0009, 0.0011]), torch.tensor([0, 1])
    targets = losses.field_targets(supervision(), distance, vertex, None)
    assert targets.skinned.tolist() == targets.corrected.tolist() == targets.shaped.tolist() == [True, False]
    value = losses.shapedirs_loss(fields(2), targets, 5)
    assert float(value) == 150 / 5


def test_semantics_overrule_what_the_head_cannot_know():
    semantics = torch.zeros(4, 9)
    for row, part in enumerate(
        (SemanticClass.HAIR, SemanticClass.CLOTH, SemanticClass.MOUTH_INTERIOR, SemanticClass.SKIN)
    ):
        semantics[row, part] = 1
    far = torch.full((4,), 0.5)
    targets = losses.field_targets(supervision(), far, torch.zeros(4, dtype=torch.long), semantics)
    assert targets.skinned.tolist() == [True, True, False, False]
    assert targets.corrected.tolist() == [False, False, True, False]
    assert targets.shaped.tolist() == [False, True, True, False]
    assert targets.fields.shapedirs.flatten(1).abs().sum(1).tolist() == [150, 0, 0, 150]
    assert targets.fields.weights[0].argmax() == 2  # ghost, global, neck
    assert targets.fields.weights[1].argmax() == 0
    assert targets.fields.posedirs[2].abs().sum() == 0
    soft = losses.field_targets(supervision(), far, torch.zeros(4, dtype=torch.long), 0.99 * semantics)
    assert not soft.skinned.any()


def test_the_authors_count_hair_and_cloth_near_the_head_only_and_shape_the_mouth_too():
    semantics = torch.zeros(4, 9)
    for row, part in enumerate((SemanticClass.HAIR, SemanticClass.HAIR, SemanticClass.MOUTH_INTERIOR)):
        semantics[row, part] = 1
    distance = torch.tensor([0.5, 0.0005, 0.0005, 0.0005])
    targets = losses.field_targets(supervision(), distance, torch.zeros(4, dtype=torch.long), semantics, compat=True)
    assert targets.skinned.tolist() == [False, True, False, True]
    assert targets.corrected.tolist() == targets.shaped.tolist() == [False, True, True, True]
    assert targets.fields.weights[1].argmax() == 2  # ghost, global, neck
    assert targets.fields.posedirs[2].abs().sum() == 0


def test_the_distance_to_the_head_counts_on_skin_alone():
    semantics = torch.zeros(3, 9)
    semantics[:2, SemanticClass.SKIN] = 1
    squared = torch.tensor([0.1, 0.3, 99.0])
    assert math.isclose(float(losses.flame_distance_loss(squared, semantics)), (0.01 + 0.09) / 2, rel_tol=1e-6)
    assert float(losses.flame_distance_loss(squared, torch.zeros(3, 9))) == 0


def test_unit_gradients_have_no_eikonal_loss():
    unit = torch.nn.functional.normalize(torch.randn(8, 3), dim=-1)
    assert float(losses.eikonal_loss(unit)) < 1e-12
    assert math.isclose(float(losses.eikonal_loss(3 * unit)), 4.0, rel_tol=1e-5)
    assert float(losses.eikonal_loss(torch.zeros(0, 3))) == 0


def test_the_total_is_the_sum_of_weights_times_terms():
    terms = losses.LossTerms({"a": torch.tensor(2.0), "b": torch.tensor(3.0)}, {"a": 10.0, "b": 0.5})
    assert float(terms.total) == 21.5


def test_off_the_skin_the_head_says_nothing_of_pose_correctives_and_weights():
    target, at_skin = fields(2), torch.tensor([True, False])
    other = DeformationFields(target.shapedirs, target.posedirs + 1, target.weights + 1)
    assert float(losses.head_fields_loss(other, target)) > 0
    half = float(losses.head_fields_loss(other, target, at_skin))
    assert math.isclose(half, float(losses.head_fields_loss(other, target)) / 2, rel_tol=1e-6)
    assert float(losses.head_fields_loss(other, target, torch.zeros(2, dtype=torch.bool))) == 0
    moved = DeformationFields(target.shapedirs + 1, target.posedirs, target.weights)
    assert float(losses.head_fields_loss(moved, target, at_skin)) == float(losses.head_fields_loss(moved, target))
