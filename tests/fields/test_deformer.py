"""The deformer against docs/method.md, section 4, written naively; its hand-written Jacobian against autograd."""

from dataclasses import replace

import pytest
import torch

from imavatar.fields.deformer import Deformer
from imavatar.numerics.linalg import pointwise_jacobian, rigid_transform, transform_points
from imavatar.types import PosedHead
from oracles_fields import built, canonical_head, normal, points, posed_head, rotation, tiny_deformer


def naive_deformation(deformer: Deformer, canonical: PosedHead, posed: PosedHead, x_c):
    """x_d = sum_j W_j T_j (x_0 + E psi + P^T Theta), point by point and bone by bone."""
    fields = deformer(x_c)
    result = []
    for n in range(len(x_c)):
        shapedirs, posedirs, weights = fields.shapedirs[n], fields.posedirs[n], fields.weights[n]
        back = sum(w * t for w, t in zip(weights, canonical.bone_transforms[0], strict=True))
        forth = sum(w * t for w, t in zip(weights, posed.bone_transforms[0], strict=True))
        point = torch.cat([x_c[n], torch.ones(1, dtype=x_c.dtype)])
        x_0 = torch.linalg.solve(back, point)[:3] - posedirs.T @ canonical.pose_feature[0]
        template = x_0 + shapedirs @ posed.expression[0] + posedirs.T @ posed.pose_feature[0]
        result.append((forth @ torch.cat([template, torch.ones(1, dtype=x_c.dtype)]))[:3])
    return torch.stack(result)


@pytest.mark.parametrize("ghost", [False, True])
@pytest.mark.parametrize("n_octaves", [0, 2])
def test_the_deformation_is_the_formula_written_naively(ghost, n_octaves):
    canonical, posed = canonical_head(ghost=ghost), posed_head(ghost=ghost)
    deformer = tiny_deformer(canonical=canonical, n_octaves=n_octaves)
    x = points(6)
    expected = naive_deformation(deformer, canonical, posed, x)
    torch.testing.assert_close(deformer.for_frame(posed)(x), expected, rtol=1e-11, atol=1e-11)


def test_the_blendshape_head_gives_correctives_first_then_expressions():
    deformer = tiny_deformer()
    x = points(3)
    output = deformer.blendshapes(deformer.features(x)[0])
    fields = deformer(x)
    torch.testing.assert_close(fields.posedirs[1, 5, 2], output[1, 3 * 5 + 2])
    torch.testing.assert_close(fields.shapedirs[1, 2, 3], output[1, 108 + 2 * deformer.n_expression + 3])


def test_skinning_weights_are_a_softmax_of_twentyfold_logits():
    deformer = tiny_deformer()
    hidden, _ = deformer.features(points(4))
    inner = deformer.skinning_linear(hidden)
    logits = deformer.skinning(torch.nn.functional.softplus(inner, beta=100))
    expected = torch.exp(20 * logits) / torch.exp(20 * logits).sum(dim=-1, keepdim=True)
    torch.testing.assert_close(deformer(points(4)).weights, expected)


def test_a_fresh_deformer_has_no_displacements_and_equal_weights():
    deformer = built(lambda: Deformer(canonical_head(), (16, 16), n_expression=4), 0)
    fields = deformer(points(4))
    assert fields.shapedirs.abs().max() == 0
    assert fields.posedirs.abs().max() == 0
    torch.testing.assert_close(fields.weights, torch.full_like(fields.weights, 0.2))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ghost", [False, True])
def test_in_the_canonical_pose_the_deformer_is_the_identity(seed, ghost):
    canonical = canonical_head(ghost=ghost)
    deformer = tiny_deformer(seed, canonical=canonical, noise=0.2)
    x = points(50, seed)
    torch.testing.assert_close(deformer.for_frame(canonical)(x), x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("ghost", [False, True])
def test_bones_that_share_one_rigid_transform_apply_it_to_the_template_point(ghost):
    canonical = canonical_head(ghost=ghost)
    shared = rigid_transform(rotation(0.4, -0.2, 0.7), torch.tensor([0.1, -0.3, 0.2], dtype=torch.float64))
    together = replace(canonical, bone_transforms=shared.expand_as(canonical.bone_transforms))
    deformer = tiny_deformer(canonical=together, noise=0.2)
    other = rigid_transform(rotation(-0.3, 0.5, 0.1), torch.tensor([0.0, 0.2, 0.4], dtype=torch.float64))
    posed = replace(canonical, bone_transforms=other.expand_as(canonical.bone_transforms))
    x = points(20)
    expected = transform_points((other @ torch.linalg.inv(shared)).expand(20, 4, 4), x)
    torch.testing.assert_close(deformer.for_frame(posed)(x), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("weight_norm", [True, False])
@pytest.mark.parametrize("n_octaves", [0, 2])
@pytest.mark.parametrize("ghost", [False, True])
def test_the_hand_written_jacobian_is_autograds(ghost, n_octaves, weight_norm):
    deformer = tiny_deformer(
        canonical=canonical_head(ghost=ghost), n_octaves=n_octaves, weight_norm=weight_norm, noise=0.1
    )
    bound = deformer.for_frame(posed_head(ghost=ghost))
    x = points(8)
    x_d, jacobian = bound.with_jacobian(x)
    torch.testing.assert_close(x_d, bound(x))
    torch.testing.assert_close(jacobian, pointwise_jacobian(bound, x), rtol=1e-9, atol=1e-10)


def test_losses_on_the_jacobian_have_autograds_derivatives():
    deformer, posed = tiny_deformer(noise=0.1, n_octaves=1), posed_head()
    x = points(3).requires_grad_()
    bound = deformer.for_frame(posed)
    weights = normal(3, 3, 3, seed=4)
    targets = [x, *(p for p in deformer.parameters() if p is not deformer.skinning.bias)]
    by_autograd = (pointwise_jacobian(bound, x, create_graph=True) * weights).sum()
    by_hand = (bound.with_jacobian(x)[1] * weights).sum()
    expected = torch.autograd.grad(by_autograd, targets, retain_graph=True)
    for a, b in zip(torch.autograd.grad(by_hand, targets), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["expression", "pose_feature", "bone_transforms"])
def test_the_frames_parameters_receive_their_gradient_through_binding(name):
    deformer, posed, x = tiny_deformer(), posed_head(), points(2)

    def deform(value):
        bound = deformer.for_frame(replace(posed, **{name: value}))
        x_d, jacobian = bound.with_jacobian(x)
        return torch.cat([bound(x).sum(dim=0), x_d[0], jacobian[1].sum(dim=0)])

    start = getattr(posed, name).clone().requires_grad_()
    assert torch.autograd.gradcheck(deform, (start,), eps=1e-6, atol=1e-6)


def test_the_blended_rotation_is_the_weighted_sum_of_the_bones_rotations():
    deformer, posed, x = tiny_deformer(), posed_head(), points(5)
    weights = deformer(x).weights
    expected = (weights[:, :, None, None] * posed.bone_transforms[0, :, :3, :3]).sum(dim=1)
    torch.testing.assert_close(deformer.for_frame(posed).blended_rotation(x), expected)


def test_a_deformer_refuses_two_frames_at_once():
    two = posed_head()[[0, 0]]
    with pytest.raises(ValueError, match="one frame, not to 2"):
        tiny_deformer().for_frame(two)


def test_no_points_are_deformed_to_no_points():
    x_d, jacobian = tiny_deformer().for_frame(posed_head()).with_jacobian(points(0))
    assert (x_d.shape, jacobian.shape) == ((0, 3), (0, 3, 3))
