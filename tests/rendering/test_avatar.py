"""The whole chain: search, analytic gradient, normals and colours, against finite differences through the search."""

from dataclasses import replace

import pytest
import torch

from imavatar.head.flame import Flame
from imavatar.numerics.implicit import implicit_root, root_cotangent
from imavatar.rendering.avatar import Avatar, deformed_normal
from imavatar.rendering.correspondence import CorrespondenceSettings, find_canonical
from imavatar.rendering.surface_search import PaperSearch
from imavatar.types import HeadParameters, RayBundle, concatenate
from oracles_ellipsoid_head import ellipsoid_head
from oracles_fields import (
    N_EXPRESSION,
    AffineDeformer,
    SphereField,
    frontal_rays,
    moved,
    normal,
    points,
    posed_head,
    slopes,
    tiny_deformer,
    tiny_geometry,
    tiny_texture,
)

EXACT = PaperSearch(
    n_samples=40, n_secant_steps=40, correspondence=CorrespondenceSettings(max_steps=40, tolerance=1e-13)
)


def tiny_avatar() -> Avatar:
    geometry = tiny_geometry(1, noise=0.01, widths=(32, 32, 32), n_octaves=1)
    return Avatar(geometry, tiny_deformer(1, noise=0.02), tiny_texture(1, noise=0.1), EXACT)


POSED = posed_head(3, amplitude=0.1)
ON, OFF = frontal_rays(5, spread=0.15), frontal_rays(6, seed=4, spread=0.15)
PASSING = replace(OFF, origins=OFF.origins + torch.tensor([0.9, 0.4, 0.0], dtype=torch.float64))


def seen(avatar, rays, posed) -> dict[str, torch.Tensor]:
    """Everything that a loss may look at, after a fresh search."""
    hits = avatar.find_surface(rays, posed, None)
    output = avatar.shade(rays, posed, hits, hits.hit)
    assert hits.converged.all()
    along = avatar.deformer.for_frame(posed)(output.x_c) - rays.origins[output.surface_index]
    depth = (along * rays.directions[output.surface_index]).sum(dim=-1)
    return {
        "x_c": output.x_c,
        "depth": depth,
        "normal": output.normal[hits.hit],
        "rgb": output.rgb[hits.hit],
        "gradient": output.geometry_gradient,
        "sdf": output.sdf[~hits.hit],
    }


def compare(values, slope, derivative, names):
    for name in names:
        weights = normal(*values[name].shape, seed=11)
        expected = (slope[name] * weights).sum()
        actual = derivative((values[name] * weights).sum())
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-8, msg=lambda m, name=name: f"{name}: {m}")
        assert expected.abs() > 1e-6, name


WEIGHTS = [
    "geometry_network.lin0.weight_v",
    "geometry_network.lin1.bias",
    "geometry_network.lin3.weight_g",
    "deformer_network.lin0.weight_v",
    "deformer_network.lin1.bias",
    "deformer_network.blendshapes.weight",
    "deformer_network.skinning.weight",
]
SURFACE = ("x_c", "depth", "normal", "rgb", "gradient")


def check_weight(weight: str, on: bool) -> None:
    """Compare a gradient with differences of whole searches."""
    avatar = tiny_avatar()
    rays = ON if on else PASSING
    parameter = avatar.get_parameter(weight)
    direction = normal(*parameter.shape, seed=12)
    values = seen(avatar, rays, POSED)
    assert len(values["depth"]) == (len(rays) if on else 0)
    with torch.no_grad():
        # Without gradients `shade` hands on the search's own distances.
        slope = slopes(lambda s: seen(moved(avatar, weight, direction, s), rays, POSED))

    def derivative(loss):
        (gradient,) = torch.autograd.grad(loss, parameter, retain_graph=True)
        return (gradient * direction).sum()

    compare(values, slope, derivative, SURFACE if on else ("sdf",))


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("where", ["on the surface", "off the surface"])
def test_gradients_of_weights_are_the_differences_of_searches_done_anew(weight, where):
    check_weight(weight, where == "on the surface")


@pytest.mark.parametrize("weight", ["geometry_network.lin1.bias", "deformer_network.blendshapes.weight"])
def test_the_proof_fails_where_the_correction_has_the_wrong_sign(weight, monkeypatch):
    def flipped(residual, root, jacobian=None):
        found = implicit_root(residual, root, jacobian)
        return replace(found, x=2 * found.x.detach() - found.x)

    monkeypatch.setattr("imavatar.rendering.avatar.implicit_root", flipped)
    monkeypatch.setattr("imavatar.numerics.implicit.root_cotangent", lambda *given: -root_cotangent(*given))
    with pytest.raises(AssertionError, match="x_c"):
        check_weight(weight, True)
    if weight.startswith("deformer"):
        with pytest.raises(AssertionError, match="sdf"):
            check_weight(weight, False)


@pytest.mark.parametrize("name", ["expression", "pose_feature", "bone_transforms", "origins", "directions"])
@pytest.mark.parametrize("where", ["on the surface", "off the surface"])
def test_gradients_of_frames_and_cameras_are_the_differences_of_searches_done_anew(name, where):
    avatar = tiny_avatar()
    on = where == "on the surface"
    rays = ON if on else PASSING
    of_ray = name in ("origins", "directions")
    start = getattr(rays if of_ray else POSED, name)
    direction = normal(*start.shape, seed=13)
    if name == "bone_transforms":
        direction[..., 3, :] = 0

    def at(value):
        if name == "directions":
            value = torch.nn.functional.normalize(value, dim=-1)
        return (replace(rays, **{name: value}), POSED) if of_ray else (rays, replace(POSED, **{name: value}))

    leaf = start.clone().requires_grad_()
    values = seen(avatar, *at(leaf))
    with torch.no_grad():
        if of_ray and not on:
            # The search's interval moves with a camera; depth itself is a constant only off the surface.
            slope = slopes(lambda s: at_constant_depth(avatar, at(start + s * direction)[0], rays))
        else:
            slope = slopes(lambda s: seen(avatar, *at(start + s * direction)))

    def derivative(loss):
        (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        return (gradient * direction).sum()

    compare(values, slope, derivative, SURFACE if on else ("sdf",))


def at_constant_depth(avatar, moved_rays, rays):
    """Distances at the depths found on the unmoved rays, by a fresh correspondence search."""
    depth = avatar.find_surface(rays, POSED, None).depth
    x_d = moved_rays.at(depth)
    found = find_canonical(avatar.deformer.for_frame(POSED), avatar.field(POSED), x_d, EXACT.correspondence)
    return {"sdf": found.sdf}


@pytest.mark.parametrize("name", ["expression", "pose"])
def test_gradients_of_expression_and_pose_go_through_the_head_model(name):
    flame = Flame(ellipsoid_head(), torch.zeros(100, dtype=torch.float64), n_expression=N_EXPRESSION)
    geometry = tiny_geometry(1, noise=0.01, widths=(32, 32, 32), n_octaves=1)
    deformer = tiny_deformer(1, noise=0.02, canonical=flame.canonical_head)
    avatar = Avatar(geometry, deformer, tiny_texture(1, noise=0.1), EXACT)
    start = {"expression": 0.3 * normal(1, N_EXPRESSION, seed=3), "pose": 0.05 * normal(1, 15, seed=4)}
    direction = normal(*start[name].shape, seed=13)

    def at(value):
        return flame(HeadParameters(**{**start, name: value}))

    leaf = start[name].clone().requires_grad_()
    values = seen(avatar, ON, at(leaf))
    with torch.no_grad():
        slope = slopes(lambda s: seen(avatar, ON, at(start[name] + s * direction)))

    def derivative(loss):
        (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        return (gradient * direction).sum()

    compare(values, slope, derivative, SURFACE)


@pytest.mark.parametrize("weight", ["rendering_network.lin0.weight_v", "rendering_network.condition_bottleneck.weight"])
def test_gradients_of_the_texture_are_the_differences_of_colours(weight):
    avatar = tiny_avatar()
    parameter = avatar.get_parameter(weight)
    direction = normal(*parameter.shape, seed=12)
    values = seen(avatar, ON, POSED)
    with torch.no_grad():
        slope = slopes(lambda s: seen(moved(avatar, weight, direction, s), ON, POSED))

    def derivative(loss):
        return (torch.autograd.grad(loss, parameter)[0] * direction).sum()

    compare(values, slope, derivative, ("rgb",))


def test_normals_of_an_ellipsoid_are_the_closed_form():
    matrix = torch.eye(3).double() + 0.3 * normal(3, 3, seed=0)
    deform, field = AffineDeformer(matrix, points(1)[0]), SphereField(0.6)
    x_c = 0.6 * torch.nn.functional.normalize(points(30), dim=-1)
    x_d, jacobian = deform.with_jacobian(x_c)
    _, gradient = field.with_gradient(x_c)
    expected = torch.linalg.solve(matrix @ matrix.T, (x_d - deform.translation).T).T
    expected = torch.nn.functional.normalize(expected, dim=-1)
    torch.testing.assert_close(deformed_normal(gradient, jacobian), expected)


def test_gradients_change_no_value():
    avatar = tiny_avatar()
    rays = concatenate([ON, PASSING])
    hits = avatar.find_surface(rays, POSED, None)
    with_gradient = avatar.shade(rays, POSED, hits, hits.hit)
    with torch.no_grad():
        without = avatar.shade(rays, POSED, hits, hits.hit)
    for name in ("rgb", "normal", "sdf", "x_c", "geometry_gradient"):
        torch.testing.assert_close(getattr(with_gradient, name), getattr(without, name), rtol=0, atol=1e-12)
    assert torch.equal(with_gradient.x_c, hits.x_c[hits.hit])


def test_rays_without_a_surface_are_white_and_have_no_normal():
    output = tiny_avatar().shade(PASSING, POSED, hits := tiny_avatar().find_surface(PASSING, POSED, None), hits.hit)
    assert not hits.hit.any()
    assert (output.rgb == 1).all()
    assert (output.normal == 0).all()
    assert output.surface_index.shape == (0,)


def test_colours_can_be_kept_from_training_the_geometry():
    avatar = tiny_avatar()
    hits = avatar.find_surface(ON, POSED, None)
    for trains in (True, False):
        colours = avatar.shade(ON, POSED, hits, hits.hit, colour_trains_geometry=trains).rgb
        shape = [*avatar.geometry.parameters(), *avatar.deformer.parameters()]
        reached = torch.autograd.grad(colours.sum(), shape, allow_unused=True, retain_graph=True)
        assert any(g is not None and g.abs().max() > 0 for g in reached) == trains
        (texture,) = torch.autograd.grad(colours.sum(), avatar.texture.lin0.bias)
        assert texture.abs().max() > 0


def two_frames():
    posed = concatenate([POSED, posed_head(8, amplitude=0.1)])
    rays = frontal_rays(12, spread=0.4)
    return RayBundle(rays.origins, rays.directions, torch.arange(12) % 2), posed


def test_rays_of_several_frames_are_seen_as_each_frame_alone():
    avatar, (rays, posed) = tiny_avatar(), two_frames()
    hits = avatar.find_surface(rays, posed, None)
    output = avatar.shade(rays, posed, hits, hits.hit)
    assert 0 < hits.hit.sum() < 12
    for frame in range(2):
        rows = rays.frame == frame
        alone = replace(rays[rows], frame=torch.zeros(6, dtype=torch.long))
        head = posed[frame : frame + 1]
        expected_hits = avatar.find_surface(alone, head, None)
        expected = avatar.shade(alone, head, expected_hits, expected_hits.hit)
        torch.testing.assert_close(hits.depth[rows], expected_hits.depth)
        for name in ("rgb", "normal", "sdf"):
            torch.testing.assert_close(getattr(output, name)[rows], getattr(expected, name))


def test_permuted_rays_are_seen_permuted():
    avatar, (rays, posed) = tiny_avatar(), two_frames()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    hits, mixed = (avatar.find_surface(r, posed, None) for r in (rays, rays[order]))
    output = avatar.shade(rays, posed, hits, hits.hit)
    permuted = avatar.shade(rays[order], posed, mixed, mixed.hit)
    torch.testing.assert_close(mixed.depth, hits.depth[order])
    for name in ("rgb", "normal", "sdf"):
        torch.testing.assert_close(getattr(permuted, name), getattr(output, name)[order])


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_rays_are_seen_too(n):
    avatar, (rays, posed) = tiny_avatar(), two_frames()
    hits = avatar.find_surface(rays[:n], posed, None)
    output = avatar.shade(rays[:n], posed, hits, hits.hit)
    assert (output.rgb.shape, output.normal.shape, output.sdf.shape) == ((n, 3), (n, 3), (n,))
    assert len(output.x_c) == len(output.surface_index) == hits.hit.sum()
