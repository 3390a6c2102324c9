"""Weight normalisation, the softplus and its slope, and the layers' widths."""

import math

import pytest
import torch

from imavatar.fields.mlp import (
    LayerStack,
    WeightNormLinear,
    assign_weight,
    initialise_hidden,
    linear,
    softplus,
    softplus_slope,
)
from oracles_fields import built, normal


def test_a_weight_normalised_layer_starts_as_the_plain_layer():
    plain = built(lambda: linear(4, 3, weight_norm=False), 0)
    normed = built(lambda: linear(4, 3, weight_norm=True), 0)
    x = normal(5, 4, seed=1)
    torch.testing.assert_close(normed(x), plain(x))


def test_rows_have_the_length_of_g_whatever_the_length_of_v():
    layer = built(lambda: WeightNormLinear(4, 3), 0)
    before = layer.weight.clone()
    with torch.no_grad():
        layer.weight_v *= 7
    torch.testing.assert_close(layer.weight, before)
    torch.testing.assert_close(layer.weight.norm(dim=1), layer.weight_g[:, 0])


def test_weight_normalisation_agrees_with_pytorchs():
    layer = built(lambda: WeightNormLinear(4, 3), 0)
    reference = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3, dtype=torch.float64))
    with torch.no_grad():
        layer.weight_g *= 1.7
        reference.parametrizations.weight.original0.copy_(layer.weight_g)
        reference.parametrizations.weight.original1.copy_(layer.weight_v)
        reference.bias.copy_(layer.bias)
    x = normal(5, 4, seed=1)
    torch.testing.assert_close(layer(x), reference(x))


class ForgetfulLayer(WeightNormLinear):
    """Another thread ends its `cached_weights` after each time that the cache is looked at."""

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        if name == "cached" and value is not None:
            self.cached = None
        return value


def test_weights_are_there_if_another_thread_drops_the_cache_meanwhile():
    layer = built(lambda: ForgetfulLayer(4, 3), 0)
    cached = layer.weight.detach()
    with torch.no_grad():
        layer.cached = cached
        assert layer.weight is cached
        assert torch.equal(layer.weight, cached)


@pytest.mark.parametrize("weight_norm", [True, False])
def test_assigned_weights_act(weight_norm):
    layer = linear(4, 3, weight_norm).double()
    weight, bias, x = normal(3, 4, seed=1), normal(3, seed=2), normal(5, 4, seed=3)
    assign_weight(layer, weight, bias)
    torch.testing.assert_close(layer(x), x @ weight.T + bias)


def test_hidden_weights_are_spread_by_the_fan_out_and_biases_are_zero():
    layer = built(lambda: linear(400, 100, weight_norm=True), 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        initialise_hidden(layer)
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / 100), rel=0.02)
    assert torch.count_nonzero(layer.bias) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_softplus_is_the_logarithm_of_one_plus_the_exponential(dtype):
    x = torch.cat([torch.linspace(-0.6, 0.6, 241), torch.tensor([-50.0, -1.0, 1.0, 50.0])]).to(dtype)
    expected = torch.logaddexp(100 * x.double(), torch.zeros(()).double()) / 100
    torch.testing.assert_close(softplus(x).double(), expected, rtol=4 * torch.finfo(dtype).eps, atol=1e-9)
    assert torch.isfinite(softplus(x)).all()


def test_the_softplus_has_a_first_and_a_second_derivative():
    x = torch.tensor([-0.2, -0.01, 0.0, 0.003, 0.02, 0.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(softplus, x, eps=1e-7)
    assert torch.autograd.gradgradcheck(softplus, x, eps=1e-7)


def test_the_slope_of_the_softplus_is_found_from_its_value():
    x = torch.linspace(-0.2, 0.3, 101, dtype=torch.float64, requires_grad=True)
    value = softplus(x)
    (expected,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(softplus_slope(value), expected, rtol=1e-9, atol=1e-12)


def test_the_layer_before_a_skip_makes_room_for_the_input():
    stack = LayerStack(39, (512,) * 8, 257, skip_in=(4,))
    shapes = [tuple(layer.weight.shape) for layer in stack.layers]
    assert shapes[0] == (512, 39)
    assert shapes[3] == (473, 512)
    assert shapes[4] == (512, 512)
    assert shapes[8] == (257, 512)


def test_a_skip_joins_hidden_values_and_input_in_this_order_over_the_root_of_two():
    stack = LayerStack(2, (5, 5), 1, skip_in=(1,))
    hidden, network_input = normal(3, 3, seed=0), normal(3, 2, seed=1)
    joined = stack.layer_input(1, hidden, network_input)
    torch.testing.assert_close(joined * math.sqrt(2), torch.cat([hidden, network_input], dim=-1))
    assert stack.layer_input(0, hidden, network_input) is hidden
