"""Warps in closed form: rigid motion, what undoes known fields, and the chain rule of a warped field."""

import torch

from imavatar.anatomy import N_JOINTS, Joint
from imavatar.baselines.deformations import DisplacementWarp, MorphWarp, StillWarp
from imavatar.baselines.head_space import RigidMotion, WarpedField, head_transform
from imavatar.baselines.methods import SkinningDeformer
from imavatar.types import DeformationFields
from oracles_fields import N_EXPRESSION, built, canonical_head, conditioned, disturb, points, posed_head, tiny_geometry

POSED = conditioned(posed_head(5, amplitude=0.2))
X = points(20)


def made(warp, noise=0.05):
    module = built(lambda: warp(canonical_head(), (16, 16), n_expression=N_EXPRESSION), 1)
    return disturb(module, noise, 2) if noise else module


def test_the_head_moves_with_the_neck_and_back_again():
    for ghost in (False, True):
        head = posed_head(5, amplitude=0.2, ghost=ghost)
        motion = RigidMotion(head)
        turn = head.bone_transforms[0, (1 if ghost else 0) + Joint.NECK]
        torch.testing.assert_close(motion(X), X @ turn[:3, :3].T + turn[:3, 3])
        assert len(motion.transforms) == N_JOINTS + ghost
        found = motion.evaluate(X)
        back = torch.linalg.solve(found.jacobian, (found.x_d - turn[:3, 3])[..., None])[..., 0]
        torch.testing.assert_close(back, X)


def test_a_still_warp_and_an_untrained_displacement_leave_points_where_they_are():
    torch.testing.assert_close(made(StillWarp, 0)(X, POSED), X, rtol=0, atol=0)
    torch.testing.assert_close(made(DisplacementWarp, 0)(X, POSED), X, rtol=0, atol=0)
    assert (made(DisplacementWarp)(X, POSED) - X).abs().max() > 1e-3


def test_a_displacement_depends_on_expression_and_pose():
    warp, other = made(DisplacementWarp), posed_head(9, amplitude=0.2)
    first = warp(X, POSED)
    for changed in (
        conditioned(posed_head(5, amplitude=0.2)),
        conditioned(type(POSED)(**{**vars(POSED), "expression": other.expression})),
        conditioned(type(POSED)(**{**vars(POSED), "pose_feature": other.pose_feature})),
    ):
        same = torch.equal(changed.latent, POSED.latent)
        assert torch.equal(warp(X, changed), first) == same


def test_backward_morphing_undoes_known_fields():
    class Known(MorphWarp):
        """Fields that are the same everywhere, so that they are known in deformed space too."""

        def features(self, x_h, head):
            return x_h.new_zeros(len(x_h), 1), weights.expand(len(x_h), -1)

        def fields(self, hidden, skinning):
            n = len(hidden)
            return DeformationFields(shapedirs.expand(n, -1, -1), posedirs.expand(n, -1, -1), skinning)

    warp = made(Known)
    weights = torch.softmax(torch.arange(N_JOINTS).double(), dim=0)[None]
    shapedirs, posedirs = 0.1 * points(3 * N_EXPRESSION).reshape(-1)[: 3 * N_EXPRESSION], 0.1 * points(36)
    shapedirs = shapedirs.reshape(1, 3, N_EXPRESSION)
    known = DeformationFields(shapedirs.expand(20, -1, -1), posedirs[None].expand(20, -1, -1), weights.expand(20, -1))
    x_h = warp.seen_at(X, known, POSED)
    assert (x_h - X).norm(dim=1).min() > 1e-3
    torch.testing.assert_close(warp(x_h, POSED), X)
    deformer = built(lambda: SkinningDeformer(canonical_head(), (16, 16), n_expression=N_EXPRESSION), 1)
    still = DeformationFields(torch.zeros_like(known.shapedirs), torch.zeros_like(known.posedirs), deformer(X).weights)
    x_d = deformer.for_frame(POSED)(X)
    turn = head_transform(POSED)
    torch.testing.assert_close(warp.seen_at(X, still, POSED) @ turn[:3, :3].T + turn[:3, 3], x_d)


def test_the_slope_of_a_warped_field_is_its_derivative_and_its_gradient_that_of_the_canonical_one():
    geometry = tiny_geometry(1, n_octaves=1)
    for warp in (made(DisplacementWarp), made(MorphWarp)):
        field = WarpedField(geometry, warp, POSED)
        value, slope = field.with_gradient(X)
        steps = 1e-6 * torch.eye(3, dtype=torch.float64)
        with torch.no_grad():
            expected = torch.stack([(field(X + step) - field(X - step)) / 2e-6 for step in steps], dim=1)
            torch.testing.assert_close(value, field(X))
            torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-7)
            canonical = geometry.with_gradient(warp(X, POSED))[2]
        found = field.evaluate(X)
        torch.testing.assert_close(found.gradient, canonical)
        assert not slope.requires_grad and found.slope.requires_grad
