"""The canonical signed-distance network: its shape, its initial sphere, and its hand-written gradient."""

import math

import pytest
import torch

from imavatar.fields.geometry import FrameSDF, Geometry
from oracles_fields import N_FEATURES, built, normal, points, tiny_geometry

VARIANTS = {
    "plain": {"skip_in": (), "n_octaves": 0},
    "skip and octaves": {"skip_in": (2,), "n_octaves": 3},
    "two skips": {"skip_in": (1, 2), "n_octaves": 1},
    "latent": {"skip_in": (2,), "n_octaves": 2, "latent_size": 3},
    "no weight normalisation": {"skip_in": (2,), "n_octaves": 2, "weight_norm": False},
}


def network(variant: str, active_bands=None):
    geometry = tiny_geometry(widths=(32, 32, 32, 32), **VARIANTS[variant])
    geometry.active_bands = active_bands
    latent = normal(1, geometry.latent_size, seed=5) if geometry.latent_size else None
    return geometry, latent


@pytest.mark.parametrize("active_bands", [None, 0.0, 1.4])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_hand_written_gradient_is_autograds(variant, active_bands):
    geometry, latent = network(variant, active_bands)
    x = points(7).requires_grad_()
    value, _ = geometry(x, latent)
    (expected,) = torch.autograd.grad(value.sum(), x)
    gradient = geometry.with_gradient(x, latent)[2]
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_on_the_gradient_have_autograds_derivatives(variant):
    geometry, latent = network(variant)
    x = points(4).requires_grad_()
    targets = [x, *geometry.parameters()]
    (by_autograd,) = torch.autograd.grad(geometry(x, latent)[0].sum(), x, create_graph=True)
    by_hand = geometry.with_gradient(x, latent)[2]
    weights = normal(4, 3, seed=8)
    expected = torch.autograd.grad((by_autograd * weights).sum(), targets, allow_unused=True)
    actual = torch.autograd.grad((by_hand * weights).sum(), targets, allow_unused=True)
    for a, b in zip(actual, expected, strict=True):
        a, b = (torch.zeros(()) if value is None else value for value in (a, b))
        torch.testing.assert_close(a + torch.zeros_like(b), b + torch.zeros_like(a), rtol=1e-7, atol=1e-9)


def test_all_ways_to_the_distance_and_the_features_agree():
    geometry, latent = network("latent")
    x = points(6)
    distance, features = geometry(x, latent)
    also, also_features, gradient = geometry.with_gradient(x, latent)
    torch.testing.assert_close(geometry.sdf(x, latent), distance)
    torch.testing.assert_close(also, distance)
    torch.testing.assert_close(also_features, features)
    short, none, same = geometry.with_gradient(x, latent, features=False)
    torch.testing.assert_close(short, distance)
    torch.testing.assert_close(same, gradient)
    assert features.shape == (6, N_FEATURES)
    assert none.shape == (6, 0)


def test_the_network_is_the_layers_written_out():
    geometry, _ = network("skip and octaves")
    x = points(5)
    entry = geometry.network_input(x, None)
    value = entry
    for index, layer in enumerate(geometry.layers):
        if index == 2:
            value = torch.cat([value, entry], dim=-1) / math.sqrt(2)
        value = value @ layer.weight.T + layer.bias
        if index < 4:
            value = torch.log1p(torch.exp(100 * value.clamp(max=5))) / 100
    torch.testing.assert_close(geometry(x)[0], value[:, 0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(geometry(x)[1], value[:, 1:], rtol=1e-9, atol=1e-9)


def test_a_latent_code_moves_the_surface():
    geometry, latent = network("latent")
    x = points(5)
    assert (geometry.sdf(x, latent) - geometry.sdf(x, -latent)).abs().min() > 1e-6


@pytest.mark.parametrize("latent_size", [0, 4])
def test_a_fresh_network_is_about_a_sphere_of_radius_0_6(latent_size):
    geometry = built(lambda: Geometry(latent_size=latent_size), 0)
    latent = normal(1, latent_size, seed=1)
    directions = torch.nn.functional.normalize(points(200), dim=-1)
    with torch.no_grad():
        inside, near, outside = (geometry.sdf(r * directions, latent) for r in (0.2, 0.6, 1.1))
    # The sphere is met in the limit of wide layers: at the paper's width seeds differ by a tenth or two.
    assert inside.max() < 0
    assert near.abs().max() < 0.3
    assert outside.min() > 0


@pytest.mark.parametrize("n_octaves", [0, 1])
def test_a_fresh_networks_skip_is_kept_whatever_the_encoding(n_octaves):
    """Without octaves no column of the skip belongs to an encoding: -0 once zeroed them all, and NaN followed."""
    geometry = built(lambda: Geometry((64,) * 4, skip_in=(2,), n_octaves=n_octaves, n_features=2), 0)
    acting = geometry.lin2.weight.abs().sum(dim=0)
    n_encoding = 6 * n_octaves
    assert (acting[: 64 - n_encoding] > 0).all()
    assert (acting[64 - n_encoding :] == 0).all()
    assert geometry.sdf(torch.zeros(1, 3, dtype=torch.float64)).item() < 0


def test_the_bound_field_is_the_network_under_one_latent_code():
    geometry, latent = network("latent")
    field, x = FrameSDF(geometry, latent), points(5)
    distance, _, gradient = geometry.with_gradient(x, latent)
    torch.testing.assert_close(field(x), distance)
    torch.testing.assert_close(field.with_gradient(x)[0], distance)
    torch.testing.assert_close(field.with_gradient(x)[1], gradient)


def test_no_points_give_no_distances():
    geometry, latent = network("latent")
    distance, features, gradient = geometry.with_gradient(points(0), latent)
    assert (distance.shape, features.shape, gradient.shape) == ((0,), (0, N_FEATURES), (0, 3))
