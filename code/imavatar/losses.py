"""The loss terms, one pure function each, and the one table of their weights (docs/method.md, section 9).

N is the number of rays of the batch; sums over rays and channels are divided by N, except where said. Where several
processes share the rays of a step and the mean of their losses counts, `normaliser` turns each one's number of rays or
points into the mean of all of them, so that sums are divided as one process would.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.anatomy import Joint, SemanticClass
from imavatar.types import Batch, DeformationFields, RenderOutput, SurfaceHits

Normaliser = Callable[[int], float]

NEAR_HEAD = 0.001
"""Squared distance, model units, within which the nearest head vertex gives pseudo ground truth."""

MOUTH_SHADOW = (-0.7, -0.88, -0.88)
"""Colour in [-1, 1] of the inside of a mouth that nothing lights."""

SKINNING_FACTOR = 0.1
BLENDSHAPES_FACTOR = 10.0 * 10.0**2
"""lbs_weight x 10, as the reference, and its inner factor 10, squared."""


@dataclass(frozen=True)
class LossTerms:
    """Unweighted values and their weights; both are logged."""

    values: dict[str, Tensor]
    weights: dict[str, float]

    @property
    def total(self) -> Tensor:
        """Sum of weight times value."""
        return sum(self.weights[name] * value for name, value in self.values.items())


@dataclass(frozen=True)
class HeadSupervision:
    """The canonical head's vertices and their fields: the pseudo ground truth of the deformer."""

    vertices: Float[Tensor, "v 3"]
    fields: DeformationFields

    def nearest(self, x_c: Float[Tensor, "m 3"]) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
        """Squared distance to the nearest vertex (with a gradient), and the vertex."""
        with torch.no_grad():
            vertex = torch.cat([torch.cdist(chunk, self.vertices).argmin(dim=1) for chunk in x_c.split(1024)])
        return (x_c - self.vertices[vertex]).square().sum(dim=-1), vertex


def rgb_loss(render: RenderOutput, batch: Batch, normaliser: Normaliser = float) -> Tensor:
    """L1 of the colours at surface points of rays in both masks."""
    index = render.surface_index
    return (render.rgb[index] - batch.rgb[index]).abs().sum() / normaliser(len(batch.rgb))


def mask_loss(render: RenderOutput, batch: Batch, alpha: float, normaliser: Normaliser = float) -> Tensor:
    """(1/alpha) binary cross-entropy of -alpha f on converged rays that are not in both masks."""
    rays = ~(render.hits.hit & batch.foreground) & render.hits.converged
    target = batch.foreground[rays].to(render.sdf.dtype)
    entropy = F.binary_cross_entropy_with_logits(-alpha * render.sdf[rays], target, reduction="sum")
    return entropy / (alpha * normaliser(len(batch.foreground)))


def has_mask_gradient(hits: SurfaceHits, foreground: Bool[Tensor, " n"], alpha: float) -> Bool[Tensor, " n"]:
    """Rays whose signed distance has a gradient in the mask loss that single precision can tell from none.

    Outside the mask that is sigmoid(-alpha f): background far from the surface, most of an image, has none.
    """
    near = hits.sdf * alpha < -math.log(torch.finfo(torch.float32).eps)
    return ~(hits.hit & foreground) & hits.converged & (foreground | near)


@dataclass(frozen=True)
class FieldTargets:
    """Pseudo ground truth of the fields at surface points, and the points that each term counts."""

    fields: DeformationFields
    skinned: Bool[Tensor, " m"]
    corrected: Bool[Tensor, " m"]
    shaped: Bool[Tensor, " m"]


def field_targets(
    head: HeadSupervision,
    squared_distance: Float[Tensor, " m"],
    vertex: Int[Tensor, " m"],
    semantics: Float[Tensor, "m 9"] | None,
    compat: bool = False,
) -> FieldTargets:
    """Fields of the nearest vertex; with semantics, what the head cannot know is overruled.

    Hair follows the neck joint and cloth the ghost bone (the global joint without one); mouth interior and glasses get
    zero pose correctives and no skinning loss; they and cloth get zero expression blendshapes.

    Args:
        compat: count as the authors' code does: only points near the head, and of these the mouth's interior too for
            the blendshapes.
    """
    near = squared_distance.detach() < NEAR_HEAD
    fields = head.fields[vertex]
    if semantics is None:
        return FieldTargets(fields, near, near, near)
    hair = semantics[:, SemanticClass.HAIR] == 1
    cloth = semantics[:, SemanticClass.CLOTH] == 1
    mouth = semantics[:, SemanticClass.MOUTH_INTERIOR] == 1
    weights, posedirs = fields.weights.clone(), fields.posedirs.clone()
    n_bones = weights.shape[1]
    weights[hair] = F.one_hot(torch.tensor(n_bones - len(Joint) + Joint.NECK), n_bones).to(weights)
    weights[cloth] = F.one_hot(torch.tensor(0), n_bones).to(weights)
    posedirs[mouth] = 0
    if compat:
        overruled = DeformationFields(fields.shapedirs, posedirs, weights)
        return FieldTargets(overruled, skinned=near & ~mouth, corrected=near, shaped=near)
    shapedirs = fields.shapedirs.clone()
    shapedirs[mouth | cloth] = 0
    return FieldTargets(
        fields=DeformationFields(shapedirs, posedirs, weights),
        skinned=(near | hair | cloth) & ~mouth,
        corrected=near | mouth,
        shaped=near | mouth | cloth,
    )


def skinning_loss(fields: DeformationFields, targets: FieldTargets, n: float) -> Tensor:
    """Squared differences of skinning weights."""
    return _squares(fields.weights, targets.fields.weights, targets.skinned) / n


def posedirs_loss(fields: DeformationFields, targets: FieldTargets, n: float) -> Tensor:
    """Squared differences of pose correctives."""
    return _squares(fields.posedirs, targets.fields.posedirs, targets.corrected) / n


def shapedirs_loss(fields: DeformationFields, targets: FieldTargets, n: float) -> Tensor:
    """Squared differences of expression blendshapes."""
    return _squares(fields.shapedirs, targets.fields.shapedirs, targets.shaped) / n


def _squares(value: Tensor, target: Tensor, rows: Bool[Tensor, " m"]) -> Tensor:
    squares = (value - target).square().flatten(1).sum(dim=1)
    return torch.where(rows, squares, 0.0).sum()


def flame_distance_loss(
    squared_distance: Float[Tensor, " m"],
    semantics: Float[Tensor, "m 9"],
    normaliser: Normaliser = float,
    more: int = 0,
) -> Tensor:
    """Mean squared (squared distance) to the head's vertices over surface points on skin.

    Args:
        more: further points on skin that count as zero, and so lower the mean.
    """
    values = squared_distance[is_skin(semantics)].square()
    return _sum_over(values, normaliser(len(values) + more))


def is_skin(semantics: Float[Tensor, "m 9"]) -> Bool[Tensor, " m"]:
    """Which points lie on skin alone."""
    return semantics[:, SemanticClass.SKIN] == 1


def eikonal_loss(gradient: Float[Tensor, "n 3"], normaliser: Normaliser = float) -> Tensor:
    """Mean squared difference of the gradient's length from one."""
    return _mean((gradient.norm(dim=-1) - 1).square(), normaliser)


def distance_loss(sdf: Float[Tensor, " n"], distance: Float[Tensor, " n"], normaliser: Normaliser = float) -> Tensor:
    """Mean absolute difference of signed distances from known ones."""
    return _mean((sdf - distance).abs(), normaliser)


def _mean(values: Float[Tensor, " n"], normaliser: Normaliser) -> Tensor:
    return _sum_over(values, normaliser(len(values)))


def _sum_over(values: Float[Tensor, " n"], n: float) -> Tensor:
    """Zero where there is nothing."""
    return values.sum() / max(n, torch.finfo(values.dtype).tiny)


def head_fields_loss(
    fields: DeformationFields,
    target: DeformationFields,
    on_skin: Bool[Tensor, " n"] | None = None,
    normaliser: Normaliser = float,
) -> Tensor:
    """FLAME supervision at points around the head's vertices: means over points, weighted as on the surface.

    Args:
        on_skin: where all three fields are known; elsewhere only the expression blendshapes are. What stands off the
            head, such as hair, does not follow expressions, but may follow a turn of the head in its own way.
    """
    everywhere = torch.ones(len(fields), dtype=torch.bool, device=fields.weights.device)
    on_skin = everywhere if on_skin is None else on_skin
    targets = FieldTargets(target, skinned=on_skin, corrected=on_skin, shaped=everywhere)
    n = max(normaliser(len(fields)), 1.0)
    blendshapes = posedirs_loss(fields, targets, n) + shapedirs_loss(fields, targets, n)
    return SKINNING_FACTOR * skinning_loss(fields, targets, n) + BLENDSHAPES_FACTOR * blendshapes


def mouth_interior_loss(rgb: Float[Tensor, "n 3"], normaliser: Normaliser = float) -> Tensor:
    """Mean absolute difference of colours from those of a mouth's unlit inside."""
    return _mean((rgb - rgb.new_tensor(MOUTH_SHADOW)).abs().mean(dim=-1), normaliser)
