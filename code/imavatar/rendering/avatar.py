"""The avatar: three fields, a surface search, and the analytic gradient that joins them."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from imavatar.fields.functions import (
    Deformation,
    DeformationFunction,
    DistanceFunction,
    MeshDeformation,
    SurfaceDeformation,
)
from imavatar.fields.geometry import FrameSDF, Geometry
from imavatar.fields.mlp import cached_weights
from imavatar.fields.texture import Texture
from imavatar.numerics.implicit import ImplicitRoot, RootGraph, evaluate_at_root, implicit_root
from imavatar.numerics.precision import full_precision
from imavatar.rendering.shading import (
    Appearance,
    SurfaceGeometry,
    SurfaceShading,
    deformed_normal,
    ray_surface_equations,
)
from imavatar.types import (
    DeformationFields,
    PosedHead,
    RayBundle,
    RenderOutput,
    RootStatistics,
    SurfaceHits,
    concatenate,
)

Search = Callable[[MeshDeformation, DistanceFunction, RayBundle, Bool[Tensor, " n"] | None], SurfaceHits]
"""Finds the surface points of one frame's rays: the paper's search or the proxy search."""


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

    def for_frame(self, head: PosedHead) -> SurfaceDeformation:
        """The deformation of one frame (one row)."""
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
                mask = None if foreground is None else foreground[rows]
                parts.append(self.search(self.for_frame(head), self.field(head), rays[rows], mask))
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
        index, surfaces, qualities, sdf = [], [], [], hits.sdf.clone()
        with cached_weights(self):
            for frame in _frames_of(rays):
                head, of_frame = posed[frame : frame + 1], rays.frame == frame
                deform, field = self.for_frame(head), self.field(head)
                rows = (of_frame & where).nonzero()[:, 0]
                index.append(rows)
                surfaces.append(self.shade_surface(head, rays[rows], hits.x_c[rows], colour_trains_geometry))
                others = (of_frame & elsewhere).nonzero()[:, 0]
                if torch.is_grad_enabled() and len(others) > 0:
                    root = _attach_off_surface(deform, rays[others], hits[others])
                    sdf[others] = field(root.x)
                    qualities.append(RootStatistics(root.residual, ~root.regular))
        surface = concatenate(surfaces)
        statistics = RootStatistics(surface.residual, surface.singular)
        quality = concatenate([*qualities, statistics]) if torch.is_grad_enabled() else statistics[:0]
        white, rows = torch.ones_like(rays.origins), torch.cat(index)
        return RenderOutput(
            rgb=white.index_put((rows,), surface.rgb),
            normal=torch.zeros_like(white).index_put((rows,), surface.normal),
            sdf=sdf,
            hits=hits,
            surface_index=rows,
            x_c=surface.x_c,
            geometry_gradient=surface.gradient,
            fields=surface.fields,
            root_statistics=quality,
        )

    def appearance(
        self, x: Float[Tensor, "m 3"], head: PosedHead, *, colour_trains_geometry: bool = True
    ) -> Appearance:
        """What points of the surface look like in a frame (one row); rays have no part in it.

        Args:
            x: where `find_surface` finds the surface: canonical points, or a `HeadSpaceAvatar`'s points of head space.
            colour_trains_geometry: see `shade`.
        """
        with full_precision(x.device):
            deformed = self.for_frame(head).evaluate(x)
        found = self.surface_geometry(x, head)
        normal = deformed_normal(found.slope, deformed.jacobian)
        looks = (found.x_c, normal, found.features)
        x_c, seen_normal, features = looks if colour_trains_geometry else (value.detach() for value in looks)
        rgb = self.texture(x_c, seen_normal, head.texture_condition, features)
        fields = self.surface_fields(deformed, x, head)
        return Appearance(found, deformed.x_d, deformed.jacobian, rgb, normal, fields)

    def shade_surface(
        self, head: PosedHead, rays: RayBundle, x_c: Float[Tensor, "m 3"], colour_trains_geometry: bool = True
    ) -> SurfaceShading:
        """As `shade`, at surface points of one frame (one row), each on its ray; with gradients where these are on."""
        if not torch.is_grad_enabled():
            return SurfaceShading.of_constants(self.appearance(x_c, head))

        def graph(x: Tensor, *given: Tensor) -> RootGraph:
            *of_head, origins, directions = given
            seen = self.appearance(x, PosedHead(*of_head), colour_trains_geometry=colour_trains_geometry)
            residual, jacobian = ray_surface_equations(RayBundle(origins, directions, rays.frame), seen)
            looks = (seen.geometry.x_c, seen.rgb, seen.normal, seen.geometry.gradient)
            return RootGraph(residual, jacobian, differentiated=looks, constant=tuple(vars(seen.fields).values()))

        networks = (self.geometry, self.deformer, self.texture)
        with cached_weights(self):
            parameters = [tensor for network in networks for tensor in network.effective_parameters]
            inputs = (*vars(head).values(), rays.origins, rays.directions)
            root, (at_root, rgb, normal, gradient), fields = evaluate_at_root(graph, x_c, inputs, parameters)
        constant = DeformationFields(*fields)
        return SurfaceShading(at_root, rgb, normal, gradient, constant, root.residual, ~root.regular)

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


def _attach_off_surface(deform: DeformationFunction, rays: RayBundle, hits: SurfaceHits) -> ImplicitRoot:
    """The solution of F = d(x_c) - (r_o + t r_d) with t constant."""
    with full_precision(hits.depth.device):
        with torch.no_grad():
            _, jacobian = deform.with_jacobian(hits.x_c)
        target = rays.at(hits.depth)
        return implicit_root(lambda x: deform(x) - target, hits.x_c, jacobian)


def _frames_of(rays: RayBundle) -> list[int]:
    """Frames that some ray looks at; without rays the first, so that there are results, if empty ones."""
    return torch.unique(rays.frame).tolist() or [0]
