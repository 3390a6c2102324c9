"""The texture network: what it looks at and in which order."""

import torch

from imavatar.fields.encoding import encode
from imavatar.fields.texture import Texture
from oracles_fields import N_EXPRESSION, N_FEATURES, normal, points, tiny_texture


def inputs(n=6):
    normals = torch.nn.functional.normalize(points(n, 1), dim=-1)
    return [points(n), normals, normal(1, N_EXPRESSION + 3, seed=2), normal(n, N_FEATURES, seed=3)]


def test_the_network_is_the_layers_written_out():
    texture = tiny_texture()
    x, normals, condition, features = inputs()
    bottleneck = condition @ texture.condition_bottleneck.weight.T + texture.condition_bottleneck.bias
    value = torch.cat([encode(x, 2), normals, bottleneck.expand(len(x), -1), features], dim=-1)
    for layer in texture.layers[:-1]:
        value = (value @ layer.weight.T + layer.bias).clamp(min=0)
    expected = torch.tanh(value @ texture.layers[-1].weight.T + texture.layers[-1].bias)
    torch.testing.assert_close(texture(x, normals, condition, features), expected)


def test_colours_lie_between_minus_one_and_one():
    texture = tiny_texture(noise=3.0)
    assert texture(*inputs(50)).abs().max() <= 1


def test_every_input_changes_the_colour():
    texture = tiny_texture()
    arguments = [value.requires_grad_() for value in inputs()]
    gradients = torch.autograd.grad(texture(*arguments).square().sum(), arguments)
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_the_papers_first_layer_is_294_wide():
    texture = Texture()
    assert texture.layers[0].weight.shape == (512, 27 + 3 + 8 + 256)
    assert texture.condition_bottleneck.weight.shape == (8, 53)
