"""Avatars whose surface lives in head space and is looked up in canonical space: C-Net, D-Net, B-Morph."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.anatomy import N_JOINTS, Joint
from imavatar.fields.functions import Deformation
from imavatar.fields.geometry import Geometry
from imavatar.numerics.linalg import transform_points
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.shading import SurfaceGeometry
from imavatar.types import DeformationFields, PosedHead


def head_transform(head: PosedHead) -> Float[Tensor, "4 4"]:
    """From head space to deformed space: the transform of the neck's joint, which carries the head (one row)."""
    return head.bone_transforms[0, -N_JOINTS + Joint.NECK]


class RigidMotion:
    """x_h -> x_d = T x_h, with what surface searches ask of a deformation; it has no network.

    `transforms` and `canonical_transforms` make every bone's rigid guess the exact solution.
    """

    def __init__(self, head: PosedHead):
        self.transform = head_transform(head)
        self.transforms = self.transform.expand_as(head.bone_transforms[0])
        self.canonical_transforms = torch.eye(4).to(self.transform).expand_as(self.transforms)

    @property
    def deformer(self) -> "RigidMotion":
        """What `features` are asked of."""
        return self

    def features(self, x: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 0"], Float[Tensor, "n 0"]]:
        """Nothing: the motion is the same everywhere."""
        return x.new_zeros(len(x), 0), x.new_zeros(len(x), 0)

    def from_features(self, x: Float[Tensor, "n 3"], hidden: Tensor, weights: Tensor) -> Float[Tensor, "n 3"]:
        """As `__call__`."""
        return self(x)

    def __call__(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return transform_points(self.transform.to(x), x)

    def blended_rotation(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
        """The rotation, for each point."""
        return self.transform[:3, :3].to(x).expand(len(x), 3, 3)

    def with_jacobian(self, x: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3 3"]]:
        """Deformed points and the rotation."""
        return self(x), self.blended_rotation(x)

    def evaluate(self, x: Float[Tensor, "n 3"]) -> Deformation:
        """Deformed points, the rotation, and no features."""
        return Deformation(self(x), self.blended_rotation(x), *self.features(x))


class WarpedField:
    """f(b(x_h)) of one frame: signed distances in head space, by a warp b to canonical space."""

    def __init__(self, geometry: Geometry, warp: nn.Module, head: PosedHead):
        self.geometry, self.warp, self.head = geometry, warp, head

    def __call__(self, x_h: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.geometry.sdf(self.warp(x_h, self.head), self.head.latent)

    def with_gradient(self, x_h: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Signed distances and their slopes in head space, as constants."""
        with torch.no_grad():
            found = self.evaluate(x_h)
        return found.sdf, found.slope

    def evaluate(self, x_h: Float[Tensor, "n 3"]) -> SurfaceGeometry:
        """Everything at points; differentiable as a whole where gradients are on."""
        graph = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x_h if x_h.requires_grad and graph else x_h.detach().requires_grad_(True)
            x_c = self.warp(x, self.head)
            with torch.set_grad_enabled(graph):
                canonical = x_c if graph else x_c.detach()
                sdf, features, gradient = self.geometry.with_gradient(canonical, self.head.latent)
            # One product with the warp's transposed Jacobian: the chain rule.
            (slope,) = torch.autograd.grad(x_c, x, gradient, create_graph=graph)
        return SurfaceGeometry(sdf, features, slope, gradient, canonical)


class HeadSpaceAvatar(Avatar):
    """An avatar whose `deformer` is a warp of `baselines.deformations`.

    Rays are searched in head space, where the surface of every frame is another one.
    """

    def for_frame(self, head: PosedHead) -> RigidMotion:
        """Head space to deformed space."""
        return RigidMotion(head)

    def field(self, head: PosedHead) -> WarpedField:
        """The signed distance of a frame in head space."""
        return WarpedField(self.geometry, self.deformer, head)

    def surface_geometry(self, x: Float[Tensor, "m 3"], head: PosedHead) -> SurfaceGeometry:
        """As `Avatar.surface_geometry`, at points of head space."""
        return self.field(head).evaluate(x)

    def surface_fields(self, deformed: Deformation, x: Float[Tensor, "m 3"], head: PosedHead) -> DeformationFields:
        """As `Avatar.surface_fields`; zeros where the method has none."""
        return self.deformer.surface_fields(x, head)

    def features_near(
        self, x_c: Float[Tensor, "n 3"], known: DeformationFields, head: PosedHead
    ) -> tuple[Float[Tensor, "n w"], Float[Tensor, "n j"]]:
        """As `Avatar.features_near`: the points are looked up where the frame shows them."""
        return self.deformer.features(self.deformer.seen_at(x_c, known, head), head)
