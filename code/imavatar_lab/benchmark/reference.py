"""The paper's step without any of this project's shortcuts: what the fast one is measured and tested against."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.fields.deformer import Deformer, FrameDeformation
from imavatar.numerics.implicit import ImplicitRoot, implicit_root
from imavatar.numerics.linalg import matvec, pointwise_jacobian
from imavatar.numerics.skinning import blend_transforms
from imavatar.rendering.avatar import Avatar
from imavatar.types import (
    DeformationFields,
    PosedHead,
    RayBundle,
    RenderOutput,
    RootStatistics,
    SurfaceHits,
)


class ReferenceDeformer(FrameDeformation):
    """A frame's deformation as the paper writes it: all blendshapes and correctives of every point, then their sums."""

    def __init__(self, deformer: Deformer, posed: PosedHead):
        super().__init__(deformer, posed)
        self.posed = posed

    def __call__(self, x_c: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Deformed points."""
        fields = self.deformer(x_c)
        forward = blend_transforms(fields.weights, self.transforms)
        canonical = blend_transforms(fields.weights, self.canonical_transforms)
        homogeneous = F.pad(x_c, (0, 1), value=1.0)
        unposed = matvec(torch.linalg.inv(canonical), homogeneous)[:, :3]
        x_0 = unposed - torch.einsum("nki,k->ni", fields.posedirs, self.deformer.canonical_pose_feature)
        template = x_0 + torch.einsum("nil,l->ni", fields.shapedirs, self.posed.expression[0])
        template = template + torch.einsum("nki,k->ni", fields.posedirs, self.posed.pose_feature[0])
        return matvec(forward, F.pad(template, (0, 1), value=1.0))[:, :3]


class ReferenceAvatar(Avatar):
    """The same networks, each derivative by automatic differentiation, each loss's points evaluated for it alone."""

    def for_frame(self, head: PosedHead) -> ReferenceDeformer:
        """As `Avatar.for_frame`; every point's blendshapes in full."""
        return ReferenceDeformer(self.deformer, head)

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
        """As `Avatar.shade`; every converged ray without a surface point gets a signed distance with a gradient."""
        white = torch.ones_like(rays.origins)
        sdf, index, parts, residuals, singular = hits.sdf.clone(), [], [], [], []
        for frame in range(len(posed)):
            head = posed[frame : frame + 1]
            deform = self.for_frame(head)
            of_frame = rays.frame == frame
            others = (of_frame & ~where & hits.converged).nonzero()[:, 0]
            target = rays[others].at(hits.depth[others])
            root = implicit_root(lambda x, target=target, deform=deform: deform(x) - target, hits.x_c[others])
            sdf[others] = self.geometry(root.x, head.latent)[0]
            rows = (of_frame & where).nonzero()[:, 0]
            on_surface, parts_of_frame = self._on_surface(
                deform, head, rays[rows], hits.x_c[rows], colour_trains_geometry
            )
            index.append(rows)
            parts.append(parts_of_frame)
            residuals += [root.residual, on_surface.residual]
            singular += [~root.regular, ~on_surface.regular]
        x_c, normal, gradient, rgb = (torch.cat(columns) for columns in zip(*parts, strict=True))
        fields: DeformationFields = self.deformer(x_c.detach())
        rows = torch.cat(index)
        return RenderOutput(
            rgb=white.index_put((rows,), rgb),
            normal=torch.zeros_like(white).index_put((rows,), normal),
            sdf=sdf,
            hits=hits,
            surface_index=rows,
            x_c=x_c,
            geometry_gradient=gradient,
            fields=fields,
            root_statistics=RootStatistics(torch.cat(residuals), torch.cat(singular)),
        )

    def _on_surface(
        self,
        deform: ReferenceDeformer,
        head: PosedHead,
        rays: RayBundle,
        x_c: Float[Tensor, "m 3"],
        colour_trains_geometry: bool,
    ) -> tuple[ImplicitRoot, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """The points' equations, and points, normals, gradients of the distance and colours there."""

        def residual(x: Float[Tensor, "m 3"]) -> Float[Tensor, "m 3"]:
            across = torch.linalg.cross(rays.directions, deform(x) - rays.origins, dim=-1)
            return torch.cat([across[:, :2], self.geometry(x, head.latent)[0][:, None]], dim=1)

        root = implicit_root(residual, x_c)
        x = root.x if root.x.requires_grad else root.x.requires_grad_(True)
        jacobian = pointwise_jacobian(deform, x, create_graph=True)
        sdf, features = self.geometry(x, head.latent)
        (gradient,) = torch.autograd.grad(sdf.sum(), x, create_graph=True)
        normal = F.normalize((gradient[:, None] @ torch.linalg.inv(jacobian))[:, 0], dim=-1)
        looks = (x, normal, features) if colour_trains_geometry else (x.detach(), normal.detach(), features.detach())
        rgb = self.texture(looks[0], looks[1], head.texture_condition, looks[2])
        return root, (x, normal, gradient, rgb)
