"""Which loss terms a step has, and what they weigh."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imavatar import losses
from imavatar.losses import LossTerms
from imavatar.rendering.avatar import Avatar
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.training.head_samples import DistanceSamples, HeadSurface, jittered_vertices, mouth_points
from imavatar.types import Batch, PosedHead, RenderOutput

EIKONAL_POINTS = 192
MOUTH_POINTS = 64
WIDEST_JAW = 0.5
"""Radians by which a mouth opens at most when its inside is asked for."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; zero leaves a term out. `alpha` sharpens the mask loss."""

    mask: float = 100.0
    lbs: float = 1.0
    flame_distance: float = 0.0
    eikonal: float = 0.0
    head_fields: float = 0.0
    head_distance: float = 0.0
    mouth_interior: float = 0.0
    expression_reg: float = 0.0
    pose_reg: float = 0.0
    cam_reg: float = 0.0
    alpha: float = 50.0


@dataclass(frozen=True)
class Objective:
    """The sum of losses of one step.

    Args:
        surface: the canonical head: pseudo ground truth of the deformer, and where its mouth is.
        face: points around the head's face, for `head_distance`.
        head_points: points a step for `head_fields` and `head_distance` each.
        compat: see `losses.field_targets`.
    """

    surface: HeadSurface
    face: DistanceSamples | None = None
    head_points: int = 256
    compat: bool = False

    def terms(
        self,
        avatar: Avatar,
        render: RenderOutput,
        batch: Batch,
        deviations: dict[str, Tensor],
        weights: LossWeights,
        generator: torch.Generator,
        head: PosedHead | None = None,
        processes: Processes = SINGLE_PROCESS,
    ) -> LossTerms:
        """All terms that `weights` asks for.

        Args:
            head: the frame (one row) whose latent code the surface is taught under off the rays; zero codes without it.
            processes: of which this one has a part of the rays, and takes one of the points off the rays; their mean
                is what a single process would find.
        """
        latent = batch.rgb.new_zeros(1, avatar.geometry.latent_size) if head is None else head.latent
        values = {
            "rgb": losses.rgb_loss(render, batch, processes.mean_count),
            "mask": losses.mask_loss(render, batch, weights.alpha, processes.mean_count),
        }
        table = {"rgb": 1.0, "mask": weights.mask}
        if weights.lbs > 0 or weights.flame_distance > 0:
            self._head_terms(render, batch, weights, values, table, processes.mean_count)
        if weights.eikonal > 0:
            values["eikonal"] = self._eikonal(avatar, render, latent, generator, processes)
            table["eikonal"] = weights.eikonal
        if weights.head_fields > 0:
            points, target, on_skin = jittered_vertices(self.surface.supervision, self.head_points, generator)
            shard = processes.shard
            points, target = points[shard], target[shard]
            found = avatar.deformer.fields(*avatar.features_near(points, target, head))
            values["head_fields"] = losses.head_fields_loss(found, target, on_skin[shard], processes.mean_count)
            table["head_fields"] = weights.head_fields
        if weights.head_distance > 0:
            values["head_distance"] = self._head_distance(avatar, latent, generator, processes)
            table["head_distance"] = weights.head_distance
        if weights.mouth_interior > 0:
            expression = (batch.head if head is None else head).expression[:1]
            values["mouth_interior"] = self._mouth_interior(avatar, expression, latent, generator, processes)
            table["mouth_interior"] = weights.mouth_interior
        for name, value in deviations.items():
            values[name], table[name] = value, getattr(weights, name)
        return LossTerms(values, table)

    def _head_terms(self, render, batch, weights, values, table, normaliser) -> None:
        n = normaliser(len(batch.rgb))
        semantics = None if batch.semantics is None else batch.semantics[render.surface_index]
        squared_distance, vertex = self.surface.supervision.nearest(render.x_c)
        if weights.lbs > 0:
            targets = losses.field_targets(self.surface.supervision, squared_distance, vertex, semantics, self.compat)
            values["skinning"] = losses.skinning_loss(render.fields, targets, n)
            values["posedirs"] = losses.posedirs_loss(render.fields, targets, n)
            values["shapedirs"] = losses.shapedirs_loss(render.fields, targets, n)
            table["skinning"] = weights.lbs * losses.SKINNING_FACTOR
            table["posedirs"] = weights.lbs * losses.BLENDSHAPES_FACTOR
            table["shapedirs"] = weights.lbs * losses.BLENDSHAPES_FACTOR
        if weights.flame_distance > 0 and semantics is not None:
            # The authors' mean is over all rays that hit skin; those outside the mask add nothing to its sum.
            outside = render.hits.hit & ~batch.foreground
            more = int((outside & losses.is_skin(batch.semantics)).sum()) if self.compat else 0
            values["flame_distance"] = losses.flame_distance_loss(squared_distance, semantics, normaliser, more)
            table["flame_distance"] = weights.flame_distance

    def _head_distance(self, avatar, latent, generator, processes=SINGLE_PROCESS) -> Tensor:
        """Mean difference of the signed distances near the face from those to the head."""
        face, shard = self.face.draw(self.head_points, generator), processes.shard
        sdf = avatar.geometry.sdf(face.points[shard], latent)
        return losses.distance_loss(sdf, face.distances[shard], processes.mean_count)

    def _mouth_interior(self, avatar, expression, latent, generator, processes=SINGLE_PROCESS) -> Tensor:
        """Difference of the colours inside the mouth from its shadow, the jaw opened by a random angle.

        A recording in which nobody opens the mouth wide leaves the texture there to chance. Only the texture learns
        from this, and little: what the recording shows outweighs it.
        """
        points = mouth_points(self.surface, MOUTH_POINTS, generator)[processes.shard]
        with torch.no_grad():
            _, features, gradient = avatar.geometry.with_gradient(points, latent)
        opening = WIDEST_JAW * torch.rand(1, generator=generator).to(points)
        jaw = torch.cat([opening, opening.new_zeros(2)])[None]
        condition = torch.cat([expression, jaw], dim=1)
        rgb = avatar.texture(points, F.normalize(gradient, dim=1), condition, features)
        return losses.mouth_interior_loss(rgb, processes.mean_count)

    def _eikonal(self, avatar, render, latent, generator, processes=SINGLE_PROCESS) -> Tensor:
        """Unit gradients at the surface points, near the head, and anywhere in the unit cube."""
        near = _scatter_points(self.surface.vertices, EIKONAL_POINTS // 2, 0.05, generator)
        anywhere = torch.rand(EIKONAL_POINTS // 2, 3, generator=generator) * 2 - 1
        points = torch.cat([near, anywhere.to(near)])[processes.shard]
        gradient = avatar.geometry.with_gradient(points, latent, features=False)[2]
        return losses.eikonal_loss(torch.cat([render.geometry_gradient, gradient]), processes.mean_count)


def _scatter_points(vertices, n, spread, generator) -> Float[Tensor, "n 3"]:
    rows = torch.randint(len(vertices), (n,), generator=generator)
    jitter = spread * torch.randn(n, 3, generator=generator)
    return vertices[rows.to(vertices.device)] + jitter.to(vertices)
