"""Newton's method on the systems that define surface points and correspondences. No gradient."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.fields.functions import DeformationFunction, DistanceFunction
from imavatar.numerics.linalg import inverse_3x3, matvec, orthonormal_complement
from imavatar.numerics.root_finding import good_broyden_update
from imavatar.types import RayBundle, SurfaceHits

ON_SURFACE = 5e-5
ON_RAY = 2e-5
SAME_DEPTH = 1e-4
"""How far the depth of a surface point may be off by what is left of its signed distance; rays that graze the surface
need a smaller one."""
GRAZING = 2.0
"""A ray grazes the surface where a unit of signed distance is more than this along the ray."""
MAX_SURFACE_STEP = 0.03
MAX_FIRST_STEP = 0.3
MAX_POINT_STEP = 0.15
POINT_STEPS, POINT_TOLERANCE = 8, 1e-4


@torch.no_grad()
def refine_on_ray(
    deform: DeformationFunction,
    field: DistanceFunction,
    rays: RayBundle,
    x_c: Float[Tensor, "n 3"],
    gradient: Float[Tensor, "n 3"],
    *,
    estimate: Float[Tensor, " n"] | None = None,
    max_steps: int = 6,
) -> SurfaceHits:
    """Solve [two components of d(x_c) - r_o orthogonal to the ray; f(x_c)] = 0 from a near guess.

    The first step is Newton's, with the deformer's exact Jacobian and a gradient of f near by; the later ones correct
    the inverse by rank-1 updates, for which values alone are needed: Jacobians and gradients cost several of them.

    Args:
        gradient: of f at the guess, or near it.
        estimate: of f at the guess, where it is known to come near it. It makes the first step of rays that do not
            graze the surface; nothing is confirmed by it.

    A hit is on the ray, on the surface, and entering it (the distance falls along the ray). Only hits are `converged`.
    """
    across = torch.stack(orthonormal_complement(rays.directions), dim=1)  # [n, 2, 3]
    x_d, jacobian = deform.with_jacobian(x_c)
    inverse = inverse_3x3(torch.cat([across @ jacobian, gradient[:, None]], dim=1))
    sdf, evaluated = _first_distance(field, x_c, estimate, _depth_per_distance(rays, jacobian, inverse))
    residual, depth = _ray_residual(rays, across, x_d, sdf)
    x_c = x_c.clone()
    for number in range(max_steps):
        confirmed = _confirmed(residual, _depth_per_distance(rays, jacobian, inverse)) & evaluated
        rows = (~confirmed).nonzero()[:, 0]
        if len(rows) == 0:
            break
        step = _limit(-torch.nan_to_num(matvec(inverse[rows], residual[rows])), MAX_SURFACE_STEP)
        moved = x_c[rows] + step
        value = field(moved)
        there, depth[rows] = _ray_residual(rays[rows], across[rows], deform(moved), value)
        updated = good_broyden_update(inverse[rows], step, there - residual[rows])
        if number == 0 and estimate is not None:
            # The error of an estimate is no change of the field along the step.
            updated = torch.where(evaluated[rows, None, None], updated, inverse[rows])
            evaluated = torch.ones_like(evaluated)
        inverse[rows] = updated
        x_c[rows], sdf[rows], residual[rows] = moved, value, there
    per_distance = _depth_per_distance(rays, jacobian, inverse)
    hit = _confirmed(residual, per_distance) & (per_distance < 0)
    return SurfaceHits(depth, hit, x_c, sdf, hit)


def _first_distance(
    field: DistanceFunction,
    x_c: Float[Tensor, "n 3"],
    estimate: Float[Tensor, " n"] | None,
    per_distance: Float[Tensor, " n"],
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Signed distances at the guess, and which of them are evaluated: without an estimate all, else of grazing rays."""
    if estimate is None:
        return field(x_c), torch.ones_like(per_distance, dtype=torch.bool)
    grazing = per_distance.abs() > GRAZING
    rows, sdf = grazing.nonzero()[:, 0], estimate.clone()
    sdf[rows] = field(x_c[rows])
    return sdf, grazing


def _depth_per_distance(
    rays: RayBundle, jacobian: Float[Tensor, "n 3 3"], inverse: Float[Tensor, "n 3 3"]
) -> Float[Tensor, " n"]:
    """How far a point moves along its ray for every unit of signed distance: by the third column of the inverse."""
    return (rays.directions * matvec(jacobian, inverse[..., 2])).sum(dim=-1)


def _ray_residual(
    rays: RayBundle, across: Float[Tensor, "n 2 3"], x_d: Float[Tensor, "n 3"], sdf: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """How far deformed points are off their rays, both ways, and off the surface; and their depths."""
    offset = x_d - rays.origins
    residual = torch.cat([matvec(across, offset), sdf[:, None]], dim=1)
    return residual, (rays.directions * offset).sum(dim=-1)


def _confirmed(residual: Float[Tensor, "n 3"], per_distance: Float[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Which rows are on the ray, on the surface, and at the surface's depth."""
    distance = residual[:, 2].abs()
    on_ray = residual[:, :2].abs().amax(dim=-1) < ON_RAY
    return on_ray & (distance < ON_SURFACE) & (distance * per_distance.abs() < SAME_DEPTH)


@torch.no_grad()
def refine_correspondence(
    deform: DeformationFunction, x_d: Float[Tensor, "n 3"], x_c: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
    """Solve d(x_c) = x_d from a guess; returns points and which of them have converged.

    As above: one exact Jacobian, corrected by rank-1 updates. The guess may be far: the first step may go farther than
    the others, as most of the way is rigid.
    """
    image, jacobian = deform.with_jacobian(x_c)
    inverse, residual = torch.nan_to_num(inverse_3x3(jacobian)), image - x_d
    x_c, rows = x_c.clone(), torch.arange(len(x_c), device=x_c.device)
    longest = MAX_FIRST_STEP
    for _ in range(POINT_STEPS):
        rows = rows[residual[rows].norm(dim=-1) >= POINT_TOLERANCE]
        if len(rows) == 0:
            break
        step = _limit(-torch.nan_to_num(matvec(inverse[rows], residual[rows])), longest)
        moved = x_c[rows] + step
        there = deform(moved) - x_d[rows]
        inverse[rows] = good_broyden_update(inverse[rows], step, there - residual[rows])
        x_c[rows], residual[rows] = moved, there
        longest = MAX_POINT_STEP
    return x_c, residual.norm(dim=-1) < POINT_TOLERANCE


def _limit(update: Float[Tensor, "n 3"], longest: float) -> Float[Tensor, "n 3"]:
    length = update.norm(dim=-1, keepdim=True)
    return update * (longest / length.clamp(min=longest))
