"""Positional encoding of points."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def encoded_size(n_octaves: int, d_in: int = 3) -> int:
    """Width of the encoding of a `d_in`-dimensional point."""
    return d_in * (1 + 2 * n_octaves)


def band_weights(n_octaves: int, open_bands: float | None) -> list[float]:
    """Weight of each octave when `open_bands` of them are open (SPEC section 3, `use_freq_band`).

    Octave k has the weight (1 - cos(pi clamp(a - k, 0, 1))) / 2; None opens all.
    """
    if open_bands is None:
        return [1.0] * n_octaves
    opened = [min(max(open_bands - k, 0.0), 1.0) for k in range(n_octaves)]
    return [(1 - math.cos(math.pi * x)) / 2 for x in opened]


def encode(x: Float[Tensor, "n d"], n_octaves: int, open_bands: float | None = None) -> Float[Tensor, "n e"]:
    """[x, sin(x), cos(x), sin(2x), cos(2x), sin(4x), ...], all coordinates each, without a factor pi."""
    parts = [x]
    for octave, weight in enumerate(band_weights(n_octaves, open_bands)):
        scaled = x * 2.0**octave
        parts += [weight * scaled.sin(), weight * scaled.cos()]
    return torch.cat(parts, dim=-1)


def encoding_pullback(
    gradient: Float[Tensor, "n e"],
    x: Float[Tensor, "n d"],
    n_octaves: int,
    open_bands: float | None = None,
) -> Float[Tensor, "n d"]:
    """Gradient with respect to x of a function whose gradient with respect to encode(x) is given."""
    d = x.shape[-1]
    result = gradient[:, :d]
    for octave, weight in enumerate(band_weights(n_octaves, open_bands)):
        frequency = 2.0**octave
        scaled = x * frequency
        start = d * (1 + 2 * octave)
        by_sine, by_cosine = gradient[:, start : start + d], gradient[:, start + d : start + 2 * d]
        slope = by_sine * scaled.cos() - by_cosine * scaled.sin()
        result = result + weight * frequency * slope
    return result
