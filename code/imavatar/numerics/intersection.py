"""Intersections of rays with simple shapes, and roots along a ray."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def ray_sphere_interval(
    origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], radius: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Depths at which unit rays enter and leave a sphere around the origin, and which rays meet it.

    Depths are clamped to be non-negative; a ray that misses, or has the sphere behind it, gets its
    closest approach to the centre for both.
    """
    closest = -(origins * directions).sum(dim=-1)
    discriminant = closest.square() - (origins.square().sum(dim=-1) - radius**2)
    half_chord = discriminant.clamp(min=0).sqrt()
    meets = (discriminant > 0) & (closest + half_chord > 0)
    near = torch.where(meets, (closest - half_chord).clamp(min=0), closest)
    far = torch.where(meets, closest + half_chord, closest)
    return near, far, meets


def secant_search(
    function: Callable[[Float[Tensor, " m"], Int[Tensor, " m"]], Float[Tensor, " m"]],
    outside: Float[Tensor, " m"],
    inside: Float[Tensor, " m"],
    value_outside: Float[Tensor, " m"],
    value_inside: Float[Tensor, " m"],
    n_steps: int,
) -> Float[Tensor, " m"]:
    """Root between a positive and a negative end by regula falsi (docs/method.md, section 6).

    Each of `n_steps` evaluations replaces the end of equal sign; a last interpolation follows.
    """
    rows = torch.arange(len(outside), device=outside.device)
    for _ in range(n_steps):
        middle = _interpolate(outside, inside, value_outside, value_inside)
        value = function(middle, rows)
        positive = value > 0
        outside = torch.where(positive, middle, outside)
        value_outside = torch.where(positive, value, value_outside)
        inside = torch.where(positive, inside, middle)
        value_inside = torch.where(positive, value_inside, value)
    return _interpolate(outside, inside, value_outside, value_inside)


def _interpolate(outside: Tensor, inside: Tensor, value_outside: Tensor, value_inside: Tensor) -> Tensor:
    drop = value_outside - value_inside
    fraction = torch.where(drop > 0, value_outside / torch.where(drop > 0, drop, 1.0), 0.5)
    return outside + fraction * (inside - outside)
