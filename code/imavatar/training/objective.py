"""Which loss terms a step has, and what they weigh."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imavatar import losses
from imavatar.losses import LossTerms
from imavatar.rendering.avatar import Avatar
from imavatar.settings import RATE, WEIGHT, key
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.training.head_samples import DistanceSamples, HeadSurface, jittered_vertices, mouth_points, scatter_points
from imavatar.types import Batch, PosedHead, RenderOutput

Latent = Float[Tensor, "1 l"]

EIKONAL_POINTS = 192
MOUTH_POINTS = 64
WIDEST_JAW = 0.5
"""Radians by which a mouth opens at most when its inside is asked for."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms (docs/method.md, section 9); zero leaves a term out.

    Attributes:
        alpha: sharpens the mask loss.
        gt_w_seg: whether training reads the semantic maps; without them there is no `flame_distance`.
    """

    mask_weight: float = key(100.0, WEIGHT)
    lbs_weight: float = key(1.0, WEIGHT)
    flame_distance_weight: float = key(10000.0, WEIGHT)
    alpha: float = key(50.0, RATE)
    gt_w_seg: bool = True
    expression_reg_weight: float = key(0.0, WEIGHT)
    pose_reg_weight: float = key(0.0, WEIGHT)
    cam_reg_weight: float = key(0.0, WEIGHT)
    # Below: not in the authors' files.
    eikonal_weight: float = key(0.0, WEIGHT)
    head_fields_weight: float = key(0.0, WEIGHT)
    head_distance_weight: float = key(0.0, WEIGHT)
    mouth_interior_weight: float = key(0.0, WEIGHT)

    def of(self, term: str) -> float:
        """The weight of a term, by the name that it has in the log."""
        if term == "rgb":
            return 1.0
        if term == "skinning":
            return self.lbs_weight * losses.SKINNING_FACTOR
        if term in ("posedirs", "shapedirs"):
            return self.lbs_weight * losses.BLENDSHAPES_FACTOR
        return getattr(self, f"{term}_weight")


@dataclass(frozen=True)
class Objective:
    """The sum of losses of one step.

    Args:
        surface: the canonical head: pseudo ground truth of the deformer, and where its mouth is.
        face: points around the head's face, for `head_distance`.
        head_points: points a step for `head_fields` and `head_distance` each.
        compat: see `losses.field_targets`.
        processes: of which this one has a part of the rays, and takes one of the points off the rays; the mean of their
            losses is what a single process would find.
    """

    surface: HeadSurface
    face: DistanceSamples | None = None
    head_points: int = 256
    compat: bool = False
    processes: Processes = SINGLE_PROCESS

    def terms(
        self,
        avatar: Avatar,
        render: RenderOutput,
        batch: Batch,
        deviations: dict[str, Tensor],
        weights: LossWeights,
        generator: torch.Generator,
        head: PosedHead | None = None,
    ) -> LossTerms:
        """All terms that `weights` asks for; off the rays the latent code is that of `head` (one row), or zeros."""
        latent = batch.rgb.new_zeros(1, avatar.geometry.latent_size) if head is None else head.latent
        normaliser = self.processes.mean_count
        values = {
            "rgb": losses.rgb_loss(render, batch, normaliser),
            "mask": losses.mask_loss(render, batch, weights.alpha, normaliser),
            **self._head_terms(render, batch, weights),
        }
        if weights.eikonal_weight > 0:
            values["eikonal"] = self._eikonal(avatar, render, latent, generator)
        if weights.head_fields_weight > 0:
            values["head_fields"] = self._head_fields(avatar, head, generator)
        if weights.head_distance_weight > 0:
            values["head_distance"] = self._head_distance(lambda x_c: avatar.geometry.sdf(x_c, latent), generator)
        if weights.mouth_interior_weight > 0:
            expression = (batch.head if head is None else head).expression[:1]
            values["mouth_interior"] = self._mouth_interior(avatar, expression, latent, generator)
        values.update(deviations)
        return LossTerms(values, {name: weights.of(name) for name in values})

    def _head_terms(self, render: RenderOutput, batch: Batch, weights: LossWeights) -> dict[str, Tensor]:
        """What the head says of the surface points: their fields, and how far off it they are."""
        wants_distance = weights.flame_distance_weight > 0 and batch.semantics is not None
        if weights.lbs_weight == 0 and not wants_distance:
            return {}
        values, normaliser = {}, self.processes.mean_count
        semantics = None if batch.semantics is None else batch.semantics[render.surface_index]
        squared_distance, vertex = self.surface.supervision.nearest(render.x_c)
        if weights.lbs_weight > 0:
            n = normaliser(len(batch.rgb))
            targets = losses.field_targets(self.surface.supervision, squared_distance, vertex, semantics, self.compat)
            values["skinning"] = losses.skinning_loss(render.fields, targets, n)
            values["posedirs"] = losses.posedirs_loss(render.fields, targets, n)
            values["shapedirs"] = losses.shapedirs_loss(render.fields, targets, n)
        if wants_distance:
            # The authors' mean is over all rays that hit skin; those outside the mask add nothing to its sum.
            outside = render.hits.hit & ~batch.foreground
            more = int((outside & losses.is_skin(batch.semantics)).sum()) if self.compat else 0
            values["flame_distance"] = losses.flame_distance_loss(squared_distance, semantics, normaliser, more)
        return values

    def _head_fields(self, avatar: Avatar, head: PosedHead | None, generator: torch.Generator) -> Tensor:
        """Difference of the deformer's fields around the head's vertices from those of the head."""
        points, target, on_skin = jittered_vertices(self.surface.supervision, self.head_points, generator)
        shard = self.processes.shard
        points, target = points[shard], target[shard]
        found = avatar.deformer.fields(*avatar.features_near(points, target, head))
        return losses.head_fields_loss(found, target, on_skin[shard], self.processes.mean_count)

    def _head_distance(
        self, sdf: Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]], generator: torch.Generator
    ) -> Tensor:
        """Mean difference of the signed distances near the face from those to the head."""
        face, shard = self.face.draw(self.head_points, generator), self.processes.shard
        return losses.distance_loss(sdf(face.points[shard]), face.distances[shard], self.processes.mean_count)

    def _mouth_interior(
        self, avatar: Avatar, expression: Float[Tensor, "1 e"], latent: Latent, generator: torch.Generator
    ) -> Tensor:
        """Difference of the colours inside the mouth from its shadow, the jaw opened by a random angle.

        A recording in which nobody opens the mouth wide leaves the texture there to chance. Only the texture learns
        from this, and little: what the recording shows outweighs it.
        """
        points = mouth_points(self.surface, MOUTH_POINTS, generator)[self.processes.shard]
        with torch.no_grad():
            _, features, gradient = avatar.geometry.with_gradient(points, latent)
        opening = WIDEST_JAW * torch.rand(1, generator=generator).to(points)
        jaw = torch.cat([opening, opening.new_zeros(2)])[None]
        condition = torch.cat([expression, jaw], dim=1)
        rgb = avatar.texture(points, F.normalize(gradient, dim=1), condition, features)
        return losses.mouth_interior_loss(rgb, self.processes.mean_count)

    def _eikonal(self, avatar: Avatar, render: RenderOutput, latent: Latent, generator: torch.Generator) -> Tensor:
        """Unit gradients at the surface points, near the head, and anywhere in the unit cube."""
        near = scatter_points(self.surface.vertices, EIKONAL_POINTS // 2, 0.05, generator)
        anywhere = torch.rand(EIKONAL_POINTS // 2, 3, generator=generator) * 2 - 1
        points = torch.cat([near, anywhere.to(near)])[self.processes.shard]
        gradient = avatar.geometry.with_gradient(points, latent, features=False)[2]
        return losses.eikonal_loss(torch.cat([render.geometry_gradient, gradient]), self.processes.mean_count)
