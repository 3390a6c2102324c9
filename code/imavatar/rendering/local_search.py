"""The surface along a short piece of a ray, from a canonical point near by. No gradient."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.fields.functions import DeformationFunction, DistanceFunction
from imavatar.numerics.linalg import inverse_3x3, matvec
from imavatar.numerics.root_finding import broyden
from imavatar.rendering.correspondence import NO_SURFACE, overwrite
from imavatar.rendering.newton import refine_on_ray
from imavatar.types import RayBundle, SurfaceHits

HALF_WIDTH = 0.08
N_SAMPLES = 12
SAMPLE_TOLERANCE = 1e-4
"""Model units by which the image of a sample's canonical point may be off the ray."""


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
    inside, sdf = (values.view(-1, N_SAMPLES) for values in (samples.hit, samples.sdf))
    crosses, first = inside.any(dim=1), inside.to(torch.uint8).argmax(dim=1)
    rows = N_SAMPLES * torch.arange(len(rays), device=depth.device)
    least = samples[rows + torch.where(crosses, first, sdf.argmin(dim=1))]
    found = replace(least, hit=torch.zeros_like(crosses), converged=least.converged & ~crosses)
    # What crosses before its first sample was inside from the start.
    bracketed = (crosses & (first > 0)).nonzero()[:, 0]
    if len(bracketed) > 0:
        last = (rows + first)[bracketed]
        closer = _close_in(deform, field, rays[bracketed], samples[last - 1], samples[last])
        confirmed = closer.hit.nonzero()[:, 0]
        overwrite(found, bracketed[confirmed], closer[confirmed])
    return found


def _sample(
    deform: DeformationFunction,
    field: DistanceFunction,
    rays: RayBundle,
    x_c: Float[Tensor, "n 3"],
    depth: Float[Tensor, " n"],
) -> SurfaceHits:
    """N_SAMPLES evenly spaced points of each ray, [n s], with their canonical points; hits are those inside.

    Without a canonical point they are outside.
    """
    offsets = torch.linspace(-HALF_WIDTH, HALF_WIDTH, N_SAMPLES, dtype=depth.dtype, device=depth.device)
    depths = (depth[:, None] + offsets).clamp(min=0)
    target = rays.origins[:, None] + depths[..., None] * rays.directions[:, None]
    image, jacobian = deform.with_jacobian(x_c)
    inverse = torch.nan_to_num(inverse_3x3(jacobian))[:, None].expand(-1, N_SAMPLES, 3, 3)
    start = x_c[:, None] + matvec(inverse, target - image[:, None])
    start, inverse, target = (values.flatten(0, 1) for values in (start, inverse, target))
    root = broyden(lambda x, rows: deform(x) - target[rows], start, inverse, tolerance=SAMPLE_TOLERANCE)
    sdf = torch.where(root.converged, field(root.x), NO_SURFACE)
    return SurfaceHits(depths.flatten(), sdf < 0, root.x, sdf, root.converged)


def _close_in(
    deform: DeformationFunction,
    field: DistanceFunction,
    rays: RayBundle,
    before: SurfaceHits,
    inside: SurfaceHits,
) -> SurfaceHits:
    """Newton between the first sample inside and the one before; what leaves them is no hit."""
    share = torch.where(before.converged, before.sdf / (before.sdf - inside.sdf), 1.0)
    start = before.x_c + share[:, None] * (inside.x_c - before.x_c)
    found = refine_on_ray(deform, field, rays, start, field.with_gradient(start)[1])
    between = (found.depth > before.depth - SAMPLE_TOLERANCE) & (found.depth < inside.depth + SAMPLE_TOLERANCE)
    return replace(found, hit=found.hit & between)
