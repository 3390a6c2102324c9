"""Positional encoding of points."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def encoded_size(n_octaves: int, d_in: int = 3) -> int:
    """Width of the encoding of a `d_in`-dimensional point."""
    return d_in * (1 + 2 * n_octaves)


def band_weights(n_octaves: int, active_bands: float | None) -> list[float]:
    """Weight of each octave when `active_bands` of them are open (docs/method.md, section 3, `use_freq_band`).

    Octave k has the weight (1 - cos(pi clamp(a - k, 0, 1))) / 2; None opens all.
    """
    if active_bands is None:
        return [1.0] * n_octaves
    opened = [min(max(active_bands - k, 0.0), 1.0) for k in range(n_octaves)]
    return [(1 - math.cos(math.pi * x)) / 2 for x in opened]


def encode(x: Float[Tensor, "n d"], n_octaves: int, active_bands: float | None = None) -> Float[Tensor, "n e"]:
    """[x, sin(x), cos(x), sin(2x), cos(2x), sin(4x), ...], all coordinates each, without a factor pi."""
    if n_octaves == 0:
        return x
    scaled = x[:, None] * _frequencies(n_octaves, x)
    waves = torch.stack([scaled.sin(), scaled.cos()], dim=2)  # [n, octave, 2, d]
    if active_bands is not None:
        waves = waves * waves.new_tensor(band_weights(n_octaves, active_bands))[:, None, None]
    return torch.cat([x, waves.flatten(1)], dim=-1)


def encoding_pullback(
    gradient: Float[Tensor, "n e"], x: Float[Tensor, "n d"], n_octaves: int, active_bands: float | None = None
) -> Float[Tensor, "n d"]:
    """Gradient with respect to x of a function whose gradient with respect to encode(x) is given."""
    d = x.shape[-1]
    by_point, by_waves = gradient[:, :d], gradient[:, d:]
    if n_octaves == 0:
        return by_point
    frequencies = _frequencies(n_octaves, x)
    scaled = x[:, None] * frequencies
    slopes = torch.stack([scaled.cos(), -scaled.sin()], dim=2).flatten(1)
    if active_bands is not None:
        frequencies = frequencies * x.new_tensor(band_weights(n_octaves, active_bands))[:, None]
    identity = torch.eye(d, dtype=x.dtype, device=x.device)
    # Sums the waves of each coordinate, each times its frequency.
    summed = (frequencies[..., None] * identity.repeat(2, 1)).flatten(0, 1)
    return by_point + (by_waves * slopes) @ summed


def encoding_tangents(x_c: Float[Tensor, "n 3"], n_octaves: int) -> Float[Tensor, "3 n e"]:
    """Derivatives of `encode` along the three axes."""
    identity = torch.eye(3, dtype=x_c.dtype, device=x_c.device)
    unit = identity[:, None].expand(3, len(x_c), 3)
    if n_octaves == 0:
        return unit
    parts = [unit]
    for octave in range(n_octaves):
        frequency = 2.0**octave
        scaled = frequency * x_c
        parts += [frequency * scaled.cos() * unit, -frequency * scaled.sin() * unit]
    return torch.cat(parts, dim=-1)


def _frequencies(n_octaves: int, like: Tensor) -> Float[Tensor, "o 1"]:
    return torch.arange(n_octaves, dtype=like.dtype, device=like.device).exp2()[:, None]
