"""The fast step against the paper's, written plainly: the same values and the same gradients."""

from dataclasses import replace

import pytest
import torch

from imavatar.losses import has_mask_gradient
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.surface_search import PaperSearch
from imavatar.types import concatenate
from imavatar_lab.benchmark.reference import ReferenceAvatar, ReferenceDeformer
from oracles_fields import frontal_rays, normal, points, posed_head, tiny_deformer, tiny_geometry, tiny_texture

EXACT = PaperSearch(
    n_samples=40, n_secant_steps=40, correspondence=CorrespondenceSettings(max_steps=40, tolerance=1e-13)
)
POSED = posed_head(3, amplitude=0.1)
ON, OFF = frontal_rays(12, spread=0.15), frontal_rays(12, seed=4, spread=0.15)
PASSING = replace(OFF, origins=OFF.origins + torch.tensor([0.9, 0.4, 0.0], dtype=torch.float64))


def networks():
    geometry = tiny_geometry(1, noise=0.01, widths=(32, 32, 32), n_octaves=1)
    return geometry, tiny_deformer(1, noise=0.02), tiny_texture(1, noise=0.1)


def test_a_plain_deformer_deforms_as_a_contracted_one():
    deformer = tiny_deformer(1)
    x = points(20)
    torch.testing.assert_close(ReferenceDeformer(deformer, POSED)(x), deformer.for_frame(POSED)(x), rtol=0, atol=1e-12)


def loss_of(output, hits) -> torch.Tensor:
    """Something of everything that a loss may look at."""
    fields = output.fields
    parts = (
        output.rgb,
        output.normal,
        output.x_c,
        output.geometry_gradient,
        output.sdf[hits.converged & ~hits.hit],
        fields.shapedirs,
        fields.posedirs,
        fields.weights,
    )
    return sum((part * normal(*part.shape, seed=20 + i)).sum() for i, part in enumerate(parts))


@pytest.mark.parametrize("trains", [True, False])
def test_the_fast_step_has_the_plain_steps_gradients(trains):
    parts = networks()
    rays = concatenate([ON, PASSING])
    leaves = {
        name: getattr(POSED, name).clone().requires_grad_()
        for name in ("expression", "pose_feature", "texture_condition")
    }
    origins = rays.origins.clone().requires_grad_()
    posed, moved = replace(POSED, **leaves), replace(rays, origins=origins)
    found = []
    for kind in (Avatar, ReferenceAvatar):
        avatar = kind(*parts, EXACT)
        hits = avatar.find_surface(rays, POSED, None)
        loss = loss_of(avatar.shade(moved, posed, hits, hits.hit, colour_trains_geometry=trains), hits)
        given = {**dict(avatar.named_parameters()), **leaves, "origins": origins}
        found.append((loss, dict(zip(given, torch.autograd.grad(loss, list(given.values())), strict=True))))
    (fast, by_fast), (plain, by_plain) = found
    torch.testing.assert_close(fast, plain, rtol=1e-9, atol=0)
    for name, gradient in by_plain.items():
        assert gradient.norm() > 1e-9, name
        assert (by_fast[name] - gradient).norm() <= 1e-8 * gradient.norm(), name


def test_far_background_has_no_gradient_that_counts():
    geometry, deformer, texture = networks()
    avatar = Avatar(geometry, deformer, texture, EXACT)
    hits = avatar.find_surface(PASSING, POSED, None)
    foreground = torch.zeros(len(PASSING), dtype=torch.bool)
    alpha = 100.0
    wanted = has_mask_gradient(hits, foreground, alpha)
    assert 0 < wanted.sum() < hits.converged.sum()
    gradients = []
    for rows in (None, wanted):
        sdf = avatar.shade(PASSING, POSED, hits, hits.hit, wants_sdf=rows).sdf
        loss = torch.nn.functional.softplus(-alpha * sdf).sum()
        gradients.append(torch.autograd.grad(loss, geometry.lin1.bias)[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-7)
