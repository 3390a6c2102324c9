"""The least arithmetic of an iteration: multiply-adds of the networks' matrix products that its result depends on."""

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from imavatar.rendering.avatar import Avatar
from imavatar.types import SurfaceHits
from imavatar_lab.benchmark.timing import MATRIX_SIZE, Seconds


@dataclass(frozen=True)
class NetworkCosts:
    """Multiply-adds of one value at one point; `fields` are those of all blendshapes beside the deformed point."""

    deformer: int
    fields: int
    geometry: int
    features: int
    texture: int

    @classmethod
    def of(cls, avatar: Avatar) -> "NetworkCosts":
        """Count the weights that multiply a point's values."""
        geometry, deformer, texture = avatar.geometry, avatar.deformer, avatar.texture
        width = deformer.blendshapes.in_features
        hidden = sum(layer.weight.numel() for layer in deformer.layers)
        skinning = deformer.skinning_linear.weight.numel() + deformer.skinning.weight.numel()
        *inner, last = geometry.layers
        return cls(
            deformer=hidden + skinning + 3 * width,
            fields=deformer.blendshapes.weight.numel(),
            geometry=sum(layer.weight.numel() for layer in inner) + last.weight.shape[1],
            features=last.weight.numel(),
            texture=sum(layer.weight.numel() for layer in texture.layers),
        )


@dataclass(frozen=True)
class RayCounts:
    """Of one step: rays with a surface point, without one, and of these, with a gradient in the mask loss."""

    surface: int
    missed: int
    masked: int

    @classmethod
    def of(cls, hits: SurfaceHits, where: Bool[Tensor, " n"], masked: Bool[Tensor, " n"]) -> "RayCounts":
        """Count what a step found."""
        n = int(where.sum())
        return cls(n, len(hits) - n, int(masked.sum()))


def search_multiply_adds(cost: NetworkCosts, rays: RayCounts) -> int:
    """A surface point takes a Jacobian of the deformer, and the distance at a first and at a confirmed point.

    A Jacobian is three tangents beside the value. A ray that misses takes a canonical point in two evaluations, the
    first with a Jacobian, and its distance.
    """
    surface = 5 * cost.deformer + 2 * cost.geometry
    missed = 5 * cost.deformer + cost.geometry
    return rays.surface * surface + rays.missed * missed


def step_multiply_adds(cost: NetworkCosts, rays: RayCounts) -> int:
    """A backward pass takes two products for each of the forward pass, one for inputs and one for weights.

    At a surface point: value and Jacobian of the deformer with all its fields; value, features and gradient of the
    distance; the colour; and a second backward pass of the values, to what moves the point. At a point of the mask
    loss: a Jacobian without a gradient, and values of both networks.
    """
    looks = 4 * cost.deformer + cost.fields + 2 * cost.geometry + cost.features + cost.texture
    surface = 3 * looks + 2 * (cost.deformer + cost.geometry)
    masked = 4 * cost.deformer + 3 * (cost.deformer + cost.geometry)
    return rays.surface * surface + rays.masked * masked


def seconds(multiply_adds: int, matrix_product: Seconds) -> Seconds:
    """At the speed of a large matrix product."""
    return matrix_product.times(multiply_adds / MATRIX_SIZE**3)
