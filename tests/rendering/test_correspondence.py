"""Deformed points to canonical ones: roots of maps in closed form, the choice among them, and the round trip."""

import torch

from imavatar.rendering.correspondence import CorrespondenceSettings, find_canonical
from oracles_fields import AffineDeformer, SphereField, canonical_head, normal, points, posed_head, tiny_deformer

EXACT = CorrespondenceSettings(tolerance=1e-10, max_steps=30)
FIELD = SphereField()


def test_an_affine_map_is_inverted():
    matrix = torch.eye(3).double() + 0.2 * normal(3, 3, seed=0)
    deform = AffineDeformer(matrix, torch.tensor([0.1, 0.0, -0.1], dtype=torch.float64))
    x = points(20)
    found = find_canonical(deform, FIELD, deform(x), EXACT)
    torch.testing.assert_close(found.x_c, x, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.sdf, FIELD(x), rtol=0, atol=1e-9)
    assert found.converged.all()


def test_what_is_found_is_deformed_back_to_where_it_was_asked_for():
    for ghost in (False, True):
        deformer = tiny_deformer(canonical=canonical_head(ghost=ghost), noise=0.02)
        bound = deformer.for_frame(posed_head(ghost=ghost, amplitude=0.1))
        with torch.no_grad():
            x_d = bound(points(60))
            found = find_canonical(bound, FIELD, x_d, EXACT)
            assert found.converged.double().mean() > 0.9
            error = (bound(found.x_c) - x_d).norm(dim=-1)
        assert error[found.converged].max() < 1e-9


class Parabola(AffineDeformer):
    """x -> (x, y, z^2): every point above z = 0 has two roots, those below none."""

    def __init__(self):
        super().__init__(torch.eye(3).double(), torch.zeros(3).double())
        self.transforms = self.transforms.clone()
        # The guesses of the first three bones are the point itself, and two shifted along z.
        self.transforms[1, 2, 3], self.transforms[2, 2, 3] = 0.7, 0.1

    def __call__(self, x):
        return torch.stack([x[:, 0], x[:, 1], x[:, 2] ** 2], dim=-1)

    def blended_rotation(self, x):
        return torch.diag_embed(torch.stack([torch.ones_like(x[:, 0])] * 2 + [2 * x[:, 2]], dim=-1))


def test_of_several_roots_the_one_of_least_signed_distance_is_taken():
    target = torch.tensor([[0.0, 0.0, 0.25]], dtype=torch.float64)  # z = 0.5 and z = -0.5
    for sign in (1.0, -1.0):
        field = SphereField(0.2, torch.tensor([0.0, 0.0, 0.5 * sign], dtype=torch.float64))
        found = find_canonical(Parabola(), field, target, EXACT)
        torch.testing.assert_close(found.x_c[0, 2].item(), 0.5 * sign, rtol=0, atol=1e-8)
        torch.testing.assert_close(found.sdf.item(), -0.2, rtol=0, atol=1e-8)


def test_a_root_that_several_guesses_lead_to_is_evaluated_once():
    target = torch.tensor([[0.0, 0.0, 0.25], [0.1, 0.0, 0.16], [0.0, 0.0, -0.3]], dtype=torch.float64)
    sphere, evaluated = SphereField(0.2, torch.tensor([0.0, 0.0, -0.5], dtype=torch.float64)), []

    def field(x):
        evaluated.append(len(x))
        return sphere(x)

    every, distinct = (find_canonical(Parabola(), field, target, EXACT, distinct=flag) for flag in (False, True))
    assert evaluated[1] < evaluated[0]
    torch.testing.assert_close(distinct.x_c[:2], every.x_c[:2], rtol=0, atol=1e-9)
    torch.testing.assert_close(distinct.sdf, every.sdf, rtol=0, atol=1e-9)
    assert torch.equal(distinct.converged, every.converged)


def test_a_point_without_a_root_has_the_distance_one_and_is_not_converged():
    target = torch.tensor([[0.0, 0.0, -0.3]], dtype=torch.float64)
    found = find_canonical(Parabola(), FIELD, target, EXACT)
    assert not found.converged.item()
    assert found.sdf.item() == 1.0


def test_no_points_are_no_problem():
    found = find_canonical(tiny_deformer().for_frame(posed_head()), FIELD, points(0), EXACT)
    assert (found.x_c.shape, found.sdf.shape, found.converged.shape) == ((0, 3), (0,), (0,))
