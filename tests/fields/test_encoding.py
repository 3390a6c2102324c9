"""Positional encoding and its hand-written derivative."""

import math

import pytest
import torch

from imavatar.fields.encoding import band_weights, encode, encoded_size, encoding_pullback
from oracles_fields import normal, points


def test_the_encoding_lists_the_point_then_sine_and_cosine_of_each_octave():
    x = torch.tensor([[0.3, -0.7, 1.1]], dtype=torch.float64)
    expected = torch.cat([x, x.sin(), x.cos(), (2 * x).sin(), (2 * x).cos(), (4 * x).sin(), (4 * x).cos()], dim=-1)
    torch.testing.assert_close(encode(x, 3), expected)


@pytest.mark.parametrize("n_octaves", [0, 1, 4, 6])
def test_the_announced_size_is_the_encodings_width(n_octaves):
    assert encode(points(2), n_octaves).shape == (2, encoded_size(n_octaves))


def test_the_papers_sizes_come_out():
    assert (encoded_size(6), encoded_size(4)) == (39, 27)


def test_without_an_annealing_all_bands_are_open():
    assert band_weights(3, None) == [1.0, 1.0, 1.0]


def test_bands_open_one_after_the_other_by_half_a_cosine():
    assert band_weights(3, 0.0) == [0.0, 0.0, 0.0]
    assert band_weights(3, 1.5) == pytest.approx([1.0, 0.5, 0.0])
    assert band_weights(2, 0.25) == pytest.approx([(1 - math.cos(math.pi / 4)) / 2, 0.0])
    assert band_weights(3, 7.0) == pytest.approx([1.0, 1.0, 1.0])


def test_closed_bands_leave_the_point_itself():
    x = points(3)
    encoded = encode(x, 2, active_bands=0.0)
    torch.testing.assert_close(encoded[:, :3], x)
    assert torch.count_nonzero(encoded[:, 3:]) == 0


@pytest.mark.parametrize("active_bands", [None, 0.0, 1.3])
@pytest.mark.parametrize("n_octaves", [0, 3])
def test_the_pullback_is_the_encodings_gradient(n_octaves, active_bands):
    x = points(5).requires_grad_()
    cotangent = normal(5, encoded_size(n_octaves), seed=1)
    (expected,) = torch.autograd.grad((encode(x, n_octaves, active_bands) * cotangent).sum(), x)
    torch.testing.assert_close(
        encoding_pullback(cotangent, x, n_octaves, active_bands), expected, rtol=1e-12, atol=1e-12
    )
