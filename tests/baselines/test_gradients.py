"""Every method: the gradients of what is seen, against finite differences through a search done anew."""

from dataclasses import replace

import pytest
import torch

from imavatar.baselines.deformations import condition_size
from imavatar.baselines.methods import METHODS
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.surface_search import PaperSearch
from oracles_fields import (
    N_EXPRESSION,
    built,
    canonical_head,
    conditioned,
    disturb,
    frontal_rays,
    moved,
    normal,
    posed_head,
    slopes,
    tiny_geometry,
    tiny_texture,
)

EXACT = PaperSearch(
    n_samples=40, n_secant_steps=40, correspondence=CorrespondenceSettings(max_steps=40, tolerance=1e-13)
)
ON = frontal_rays(5, spread=0.15)
PASSING = replace(ON, origins=ON.origins + torch.tensor([0.9, 0.4, 0.0], dtype=torch.float64))
WEIGHTS = {
    "C-Net": ["geometry_network.lin0.weight_v", "geometry_network.lin3.weight_g"],
    "D-Net": ["geometry_network.lin0.weight_v", "deformer_network.lin0.weight", "deformer_network.lin2.bias"],
    "B-Morph": [
        "geometry_network.lin1.bias",
        "deformer_network.lin0.weight_v",
        "deformer_network.blendshapes.weight",
        "deformer_network.skinning.weight",
    ],
    "Fwd-Skin": ["geometry_network.lin0.weight_v", "deformer_network.skinning.weight"],
}


HEAD = posed_head(3, amplitude=0.1)
POSED = conditioned(HEAD)


def avatar_of(name: str) -> Avatar:
    method = METHODS[name]
    size = condition_size(N_EXPRESSION) if method.conditions_geometry else 0
    geometry = tiny_geometry(1, noise=0.01, widths=(32, 32, 32), n_octaves=1, condition_size=size)
    make = lambda: method.deformer(canonical_head(), (16, 16), n_expression=N_EXPRESSION)  # noqa: E731
    deformer = built(make, 2)
    for parameter in deformer.parameters():
        if not parameter.requires_grad:
            assert (parameter == 0).all()
    deformer = disturb(deformer, 0.02, 3)
    return method.avatar(geometry, deformer, tiny_texture(1, noise=0.1), EXACT)


def seen(avatar, rays, posed) -> dict[str, torch.Tensor]:
    hits = avatar.find_surface(rays, posed, None)
    output = avatar.shade(rays, posed, hits, hits.hit)
    assert hits.converged.all()
    return {
        "x_c": output.x_c,
        "normal": output.normal[hits.hit],
        "rgb": output.rgb[hits.hit],
        "gradient": output.geometry_gradient,
        "sdf": output.sdf[~hits.hit],
    }


def compare(values, slope, leaf, direction, names) -> None:
    for name in names:
        weights = normal(*values[name].shape, seed=11)
        (gradient,) = torch.autograd.grad((values[name] * weights).sum(), leaf, retain_graph=True)
        expected = (slope[name] * weights).sum()
        actual = (gradient * direction).sum()
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-8, msg=lambda m, name=name: f"{name}: {m}")
        assert expected.abs() > 1e-7, name


@pytest.mark.parametrize(("name", "weight"), [(name, weight) for name in WEIGHTS for weight in WEIGHTS[name]])
@pytest.mark.parametrize("where", ["on the surface", "off the surface"])
def test_gradients_of_weights_are_the_differences_of_searches_done_anew(name, weight, where):
    avatar, rays = avatar_of(name), ON if where == "on the surface" else PASSING
    parameter = avatar.get_parameter(weight)
    direction = normal(*parameter.shape, seed=12)
    values = seen(avatar, rays, POSED)
    assert len(values["x_c"]) == (len(rays) if rays is ON else 0)
    with torch.no_grad():
        slope = slopes(lambda s: seen(moved(avatar, weight, direction, s), rays, POSED))
    names = ("x_c", "normal", "rgb", "gradient") if rays is ON else ("sdf",)
    compare(values, slope, parameter, direction, names)


@pytest.mark.parametrize("name", list(WEIGHTS))
@pytest.mark.parametrize("of_frame", ["expression", "pose_feature", "bone_transforms"])
def test_gradients_of_frames_are_the_differences_of_searches_done_anew(name, of_frame):
    avatar, start = avatar_of(name), getattr(HEAD, of_frame)
    direction = normal(*start.shape, seed=13)
    if of_frame == "bone_transforms":
        # A rigid motion: the head's is inverted by its transpose.
        direction[..., :3, :3], direction[..., 3, :] = 0, 0

    def at(value):
        return conditioned(replace(HEAD, **{of_frame: value}))

    leaf = start.clone().requires_grad_()
    values = seen(avatar, ON, at(leaf))
    with torch.no_grad():
        slope = slopes(lambda s: seen(avatar, ON, at(start + s * direction)))
    compare(values, slope, leaf, direction, ("x_c", "normal", "rgb"))
