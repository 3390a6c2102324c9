"""The surface along a short piece of a ray, from a canonical point near by. No gradient."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.fields.functions import DeformationFunction, DistanceFunction
from imavatar.numerics.linalg import inverse_3x3, matvec
from imavatar.numerics.root_finding import broyden
from imavatar.rendering.correspondence import NO_SURFACE
from imavatar.rendering.newton import refine_on_ray
from imavatar.types import RayBundle, SurfaceHits

HALF_WIDTH = 0.08
N_SAMPLES = 12
SAMPLE_TOLERANCE = 1e-4
"""Model units by which the image of a sample's canonical point may be off the ray."""


@dataclass(frozen=True)
class _Samples:
    """Points along rays: depths, canonical points, signed distances. Without a canonical point they are outside."""

    depth: Float[Tensor, "n s"]
    x_c: Float[Tensor, "n s 3"]
    sdf: Float[Tensor, "n s"]
    found: Bool[Tensor, "n s"]

    def at(
        self, rows: Int[Tensor, " k"], chosen: Int[Tensor, " k"]
    ) -> tuple[Float[Tensor, " k"], Float[Tensor, "k 3"], Float[Tensor, " k"], Bool[Tensor, " k"]]:
        """One sample of each of some rows."""
        return self.depth[rows, chosen], self.x_c[rows, chosen], self.sdf[rows, chosen], self.found[rows, chosen]


@torch.no_grad()
def search_near(
    deform: DeformationFunction,
    field: DistanceFunction,
    rays: RayBundle,
    x_c: Float[Tensor, "n 3"],
    depth: Float[Tensor, " n"],
) -> SurfaceHits:
    """First surface point of each ray within HALF_WIDTH of a depth.

    As in the paper's search the ray is sampled, but the samples' canonical points are followed from one near by instead
    of looked for from the bones; between the last sample outside and the first inside it is Newton's method that finds
    the surface, and what it confirms is a hit. The other rays have their sample of least signed distance.

    Args:
        x_c: canonical points whose images are near the rays at these depths.
    """
    samples = _sample(deform, field, rays, x_c, depth)
    inside = samples.sdf < 0
    crosses, first = inside.any(dim=1), inside.to(torch.uint8).argmax(dim=1)
    rows = torch.arange(len(rays), device=depth.device)
    chosen = torch.where(crosses, first, samples.sdf.argmin(dim=1))
    depth, x_c, sdf, converged = (value.clone() for value in samples.at(rows, chosen))
    # What crosses before its first sample was inside from the start.
    hit = torch.zeros_like(crosses)
    bracketed = (crosses & (first > 0)).nonzero()[:, 0]
    converged &= ~crosses
    if len(bracketed) > 0:
        point, there, value, confirmed = _close_in(deform, field, rays[bracketed], samples, bracketed, first[bracketed])
        confirmed = confirmed.nonzero()[:, 0]
        rows = bracketed[confirmed]
        depth[rows], x_c[rows], sdf[rows] = there[confirmed], point[confirmed], value[confirmed]
        hit[rows] = converged[rows] = True
    return SurfaceHits(depth, hit, x_c, sdf, converged)


def _sample(
    deform: DeformationFunction,
    field: DistanceFunction,
    rays: RayBundle,
    x_c: Float[Tensor, "n 3"],
    depth: Float[Tensor, " n"],
) -> _Samples:
    """Evenly spaced points of the rays with their canonical points."""
    offsets = torch.linspace(-HALF_WIDTH, HALF_WIDTH, N_SAMPLES, dtype=depth.dtype, device=depth.device)
    depths = (depth[:, None] + offsets).clamp(min=0)
    target = rays.origins[:, None] + depths[..., None] * rays.directions[:, None]
    image, jacobian = deform.with_jacobian(x_c)
    inverse = torch.nan_to_num(inverse_3x3(jacobian))[:, None].expand(-1, N_SAMPLES, 3, 3)
    start = x_c[:, None] + matvec(inverse, target - image[:, None])
    target = target.flatten(0, 1)
    root = broyden(
        lambda point, rows: deform(point) - target[rows],
        start.flatten(0, 1),
        inverse.flatten(0, 1),
        tolerance=SAMPLE_TOLERANCE,
    )
    sdf = torch.where(root.converged, field(root.x), NO_SURFACE)
    shape = depths.shape
    return _Samples(depths, root.x.view(*shape, 3), sdf.view(shape), root.converged.view(shape))


def _close_in(
    deform: DeformationFunction,
    field: DistanceFunction,
    rays: RayBundle,
    samples: _Samples,
    rows: Int[Tensor, " k"],
    first: Int[Tensor, " k"],
) -> tuple[Float[Tensor, "k 3"], Float[Tensor, " k"], Float[Tensor, " k"], Bool[Tensor, " k"]]:
    """Newton between the first sample inside and the one before; what leaves them is not confirmed."""
    near, x_near, outside, found = samples.at(rows, first - 1)
    far, x_far, inside, _ = samples.at(rows, first)
    share = torch.where(found, outside / (outside - inside), 1.0)
    start = x_near + share[:, None] * (x_far - x_near)
    gradient = field.with_gradient(start)[1]
    x_c, depth, sdf, accepted = refine_on_ray(deform, field, rays, start, gradient)
    return x_c, depth, sdf, accepted & (depth > near - SAMPLE_TOLERANCE) & (depth < far + SAMPLE_TOLERANCE)
