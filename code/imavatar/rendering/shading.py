"""What is seen at points of the surface, and the equations that such points solve."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.numerics.linalg import inverse_3x3, matvec, orthonormal_complement
from imavatar.numerics.precision import full_precision
from imavatar.types import DeformationFields, RayBundle, TensorRecord


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
class Appearance:
    """What one evaluation of all networks at points of the surface gives, as seen in one frame.

    `jacobian` is d x_d / d x at the points where the surface is searched for; `normal` is in deformed space.
    """

    geometry: SurfaceGeometry
    x_d: Float[Tensor, "m 3"]
    jacobian: Float[Tensor, "m 3 3"]
    rgb: Float[Tensor, "m 3"]
    normal: Float[Tensor, "m 3"]
    fields: DeformationFields


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

    @classmethod
    def of_constants(cls, seen: Appearance) -> "SurfaceShading":
        """The same without gradients."""
        x_c = seen.geometry.x_c
        residual, singular = x_c.new_zeros(len(x_c)), x_c.new_zeros(len(x_c), dtype=torch.bool)
        return cls(x_c, seen.rgb, seen.normal, seen.geometry.gradient, seen.fields, residual, singular)


def ray_surface_equations(rays: RayBundle, seen: Appearance) -> tuple[Float[Tensor, "m 3"], Float[Tensor, "m 3 3"]]:
    """F = [d(x_c) - r_o along two directions orthogonal to the ray; f(x_c)], and dF / dx_c."""
    across = torch.stack(orthonormal_complement(rays.directions), dim=1)
    with full_precision(seen.x_d.device):
        residual = torch.cat([matvec(across, seen.x_d - rays.origins), seen.geometry.sdf[:, None]], dim=1)
        jacobian = torch.cat([across @ seen.jacobian, seen.geometry.slope[:, None]], dim=1)
    return residual, jacobian


def deformed_normal(gradient: Float[Tensor, "n 3"], jacobian: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 3"]:
    """normalise(grad f (d x_d / d x_c)^-1), a row vector times the inverse (docs/method.md, section 8)."""
    return F.normalize(matvec(inverse_3x3(jacobian).transpose(1, 2), gradient), dim=-1)
