"""The avatar: three fields, a surface search, and the analytic gradient that joins them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from imavatar.fields.deformer import Deformation
from imavatar.fields.functions import DistanceFunction, MeshDeformation
from imavatar.fields.geometry import FrameSDF, Geometry
from imavatar.fields.mlp import cached_weights
from imavatar.fields.texture import Texture
from imavatar.numerics.implicit import ImplicitRoot, RootGraph, evaluate_at_root, implicit_root
from imavatar.numerics.linalg import inverse_3x3, matvec, orthonormal_complement
from imavatar.numerics.precision import full_precision
from imavatar.types import (
    DeformationFields,
    PosedHead,
    RayBundle,
    RenderOutput,
    RootStatistics,
    SurfaceHits,
    TensorRecord,
    concatenate,
)

Search = Callable[[MeshDeformation, DistanceFunction, RayBundle, Bool[Tensor, " n"] | None], SurfaceHits]
"""Finds the surface points of one frame's rays: the paper's search or the proxy search."""


@dataclass(frozen=True)
class SurfaceShading(TensorRecord):
    """What is seen at surface points; `x_c`, the canonical points, carries the implicit gradient.

    `fields` are those at x_c as a constant. `residual` (model units) and `singular` say how well x_c solves its
    equations; zero where gradients are off.
    """

    x_c: Float[Tensor, "m 3"]
    rgb: Float[Tensor, "m 3"]
    normal: Float[Tensor, "m 3"]
    gradient: Float[Tensor, "m 3"]
    fields: DeformationFields
    residual: Float[Tensor, " m"]
    singular: Bool[Tensor, " m"]


@dataclass(frozen=True)
class SurfaceGeometry:
    """The signed distance at points where the surface is searched for.

    `slope` is its derivative there; `gradient` is that of the canonical field at `x_c`, the canonical points they stand
    for. Both pairs are the same where the surface is searched for in canonical space.
    """

    sdf: Float[Tensor, " m"]
    features: Float[Tensor, "m f"]
    slope: Float[Tensor, "m 3"]
    gradient: Float[Tensor, "m 3"]
    x_c: Float[Tensor, "m 3"]


@dataclass(frozen=True)
class _Seen:
    """What one evaluation of all networks at points of the surface gives."""

    geometry: SurfaceGeometry
    x_d: Tensor
    jacobian: Tensor
    rgb: Tensor
    normal: Tensor
    fields: DeformationFields


class Avatar(nn.Module):
    """Renders rays of posed heads. Sub-modules are named as in the authors' checkpoints."""

    def __init__(self, geometry: Geometry, deformer: Any, texture: Texture, search: Search):
        super().__init__()
        self.geometry_network = geometry
        self.deformer_network = deformer
        self.rendering_network = texture
        self.search = search

    @property
    def geometry(self) -> Geometry:
        """x_c -> signed distance and features."""
        return self.geometry_network

    @property
    def deformer(self) -> Any:
        """x_c -> blendshapes, correctives, skinning weights; x_c -> x_d: a `Deformer`, or what a baseline has."""
        return self.deformer_network

    @property
    def texture(self) -> Texture:
        """Canonical point, normal, expression, features -> colour."""
        return self.rendering_network

    def for_frame(self, head: PosedHead) -> MeshDeformation:
        """The deformation of one frame, as searches evaluate it."""
        return self.deformer.for_frame(head)

    def field(self, head: PosedHead) -> DistanceFunction:
        """The signed distance under the latent code of one frame."""
        return FrameSDF(self.geometry, head.latent)

    @torch.no_grad()
    def find_surface(self, rays: RayBundle, posed: PosedHead, foreground: Bool[Tensor, " n"] | None) -> SurfaceHits:
        """Surface hits of rays of several frames. `foreground` is the training's mask, else None."""
        parts, order = [], []
        with cached_weights(self):
            for frame in _frames_of(rays):
                rows = (rays.frame == frame).nonzero()[:, 0]
                head = posed[frame : frame + 1]
                bound, field = self.for_frame(head), self.field(head)
                mask = None if foreground is None else foreground[rows]
                parts.append(self.search(bound, field, rays[rows], mask))
                order.append(rows)
        return concatenate(parts)[torch.argsort(torch.cat(order))]

    def shade(
        self,
        rays: RayBundle,
        posed: PosedHead,
        hits: SurfaceHits,
        where: Bool[Tensor, " n"],
        *,
        wants_sdf: Bool[Tensor, " n"] | None = None,
        colour_trains_geometry: bool = True,
    ) -> RenderOutput:
        """Colours and normals where `where`, signed distances elsewhere, with their gradients.

        Surface points get the gradient of the point on the ray and on the surface; all others that
        of a point at constant depth on the ray (docs/method.md, section 7).

        Args:
            wants_sdf: the other rays whose signed distance is to have a gradient; all without it.
            colour_trains_geometry: without it, the colours' gradient reaches the texture only.
        """
        elsewhere = hits.converged & ~where
        if wants_sdf is not None:
            elsewhere = elsewhere & wants_sdf
        with cached_weights(self):
            return self._shade(rays, posed, hits, where, elsewhere, colour_trains_geometry)

    def _shade(self, rays, posed, hits, where, elsewhere, colour_trains_geometry) -> RenderOutput:
        index, surfaces, qualities, sdf = [], [], [], hits.sdf.clone()
        for frame in _frames_of(rays):
            head = posed[frame : frame + 1]
            bound, field = self.for_frame(head), self.field(head)
            of_frame = rays.frame == frame
            rows = (of_frame & where).nonzero()[:, 0]
            index.append(rows)
            surfaces.append(self.shade_surface(bound, head, rays[rows], hits.x_c[rows], colour_trains_geometry))
            others = (of_frame & elsewhere).nonzero()[:, 0]
            if torch.is_grad_enabled() and len(others) > 0:
                with full_precision(sdf.device):
                    root = self._attach_off_surface(bound, rays[others], hits[others])
                sdf[others] = field(root.x)
                qualities.append(RootStatistics(root.residual, ~root.regular))
        surface = concatenate(surfaces)
        if torch.is_grad_enabled():
            qualities.append(RootStatistics(surface.residual, surface.singular))
        quality = concatenate(qualities) if qualities else _no_quality(hits.depth)
        return _assemble(rays, hits, sdf, torch.cat(index), surface, quality)

    def shade_surface(
        self,
        bound: Any,
        head: PosedHead,
        rays: RayBundle,
        x_c: Float[Tensor, "m 3"],
        colour_trains_geometry: bool = True,
    ) -> SurfaceShading:
        """Shading of surface points of one frame."""
        if not torch.is_grad_enabled():
            seen = self._see(bound, head, x_c, colour_trains_geometry)
            residual, singular = x_c.new_zeros(len(x_c)), x_c.new_zeros(len(x_c), dtype=torch.bool)
            geometry = seen.geometry
            return SurfaceShading(
                geometry.x_c, seen.rgb, seen.normal, geometry.gradient, seen.fields, residual, singular
            )

        def graph(x, *given) -> RootGraph:
            own_head, own_rays = PosedHead(*given[: len(of_head)]), RayBundle(*given[len(of_head) :], rays.frame)
            seen = self._see(self.for_frame(own_head), own_head, x, colour_trains_geometry)
            residual, jacobian = _on_ray_and_surface(own_rays, seen)
            fields = seen.fields
            return RootGraph(
                residual,
                jacobian,
                differentiated=(seen.geometry.x_c, seen.rgb, seen.normal, seen.geometry.gradient),
                constant=(fields.shapedirs, fields.posedirs, fields.weights),
            )

        of_head = (head.expression, head.texture_condition, head.pose_feature, head.bone_transforms, head.latent)
        with cached_weights(self):
            parameters = [tensor for field in self.children() for tensor in field.effective_parameters]
            inputs = (*of_head, rays.origins, rays.directions)
            root, differentiated, constant = evaluate_at_root(graph, x_c, inputs, parameters)
        return SurfaceShading(*differentiated, DeformationFields(*constant), root.residual, ~root.regular)

    def surface_geometry(self, x: Float[Tensor, "m 3"], head: PosedHead) -> SurfaceGeometry:
        """The signed distance and its derivatives at points where `find_surface` finds the surface of a frame."""
        sdf, features, gradient = self.geometry.with_gradient(x, head.latent)
        return SurfaceGeometry(sdf, features, gradient, gradient, x)

    def surface_fields(self, deformed: Deformation, x: Float[Tensor, "m 3"], head: PosedHead) -> DeformationFields:
        """The deformer's fields at such points."""
        return self.deformer.fields(deformed.hidden, deformed.weights)

    def features_near(
        self, x_c: Float[Tensor, "n 3"], known: DeformationFields, head: PosedHead | None
    ) -> tuple[Float[Tensor, "n w"], Float[Tensor, "n j"]]:
        """What the deformer makes of canonical points around the head, where `known` are the head's own fields.

        Args:
            head: of a frame (one row); a deformer that lives in canonical space needs none.
        """
        return self.deformer.features(x_c)

    def _see(self, bound, head, x, colour_trains_geometry) -> "_Seen":
        """Everything at points of the surface, as seen in a frame."""
        with full_precision(x.device):
            deformed = bound.evaluate(x)
        found = self.surface_geometry(x, head)
        normal = deformed_normal(found.slope, deformed.jacobian)
        looks = (found.x_c, normal, found.features)
        if not colour_trains_geometry:
            looks = tuple(value.detach() for value in looks)
        rgb = self.texture(looks[0], looks[1], head.texture_condition, looks[2])
        fields = self.surface_fields(deformed, x, head)
        return _Seen(found, deformed.x_d, deformed.jacobian, rgb, normal, fields)

    @staticmethod
    def _attach_off_surface(bound, rays, hits) -> ImplicitRoot:
        """The solution of F = d(x_c) - (r_o + t r_d) with t constant."""
        with torch.no_grad():
            _, jacobian = bound.with_jacobian(hits.x_c)
        target = rays.at(hits.depth)
        return implicit_root(lambda x: bound(x) - target, hits.x_c, jacobian)


def _frames_of(rays: RayBundle) -> list[int]:
    """Frames that some ray looks at; without rays the first, so that there are results, if empty ones."""
    return torch.unique(rays.frame).tolist() or [0]


def _on_ray_and_surface(rays: RayBundle, seen: _Seen) -> tuple[Float[Tensor, "m 3"], Float[Tensor, "m 3 3"]]:
    """F = [d(x_c) - r_o along two directions orthogonal to the ray; f(x_c)], and dF / dx_c."""
    across = torch.stack(orthonormal_complement(rays.directions), dim=1)
    with full_precision(seen.x_d.device):
        residual = torch.cat([matvec(across, seen.x_d - rays.origins), seen.geometry.sdf[:, None]], dim=1)
        jacobian = torch.cat([across @ seen.jacobian, seen.geometry.slope[:, None]], dim=1)
    return residual, jacobian


def deformed_normal(gradient: Float[Tensor, "n 3"], jacobian: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 3"]:
    """normalise(grad f (d x_d / d x_c)^-1), a row vector times the inverse (docs/method.md, section 8)."""
    return F.normalize(matvec(inverse_3x3(jacobian).transpose(1, 2), gradient), dim=-1)


def _assemble(
    rays: RayBundle,
    hits: SurfaceHits,
    sdf: Float[Tensor, " n"],
    index: Int[Tensor, " m"],
    surface: SurfaceShading,
    quality: RootStatistics,
) -> RenderOutput:
    white = torch.ones_like(rays.origins)
    return RenderOutput(
        rgb=white.index_put((index,), surface.rgb),
        normal=torch.zeros_like(white).index_put((index,), surface.normal),
        sdf=sdf,
        hits=hits,
        surface_index=index,
        x_c=surface.x_c,
        geometry_gradient=surface.gradient,
        fields=surface.fields,
        root_statistics=quality,
    )


def _no_quality(like: Float[Tensor, " n"]) -> RootStatistics:
    return RootStatistics(like.new_zeros(0), like.new_zeros(0, dtype=torch.bool))
