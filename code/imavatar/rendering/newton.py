"""Newton's method on the systems that define surface points and correspondences. No gradient."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.fields.deformer import BoundDeformer
from imavatar.fields.geometry import BoundGeometry
from imavatar.numerics.linalg import inverse_3x3, matvec, orthonormal_complement
from imavatar.types import RayBundle

ON_SURFACE = 5e-5
ON_RAY = 2e-5
MAX_SURFACE_STEP = 0.03
MAX_POINT_STEP = 0.15


@torch.no_grad()
def polish_on_ray(
    deform: BoundDeformer,
    field: BoundGeometry,
    rays: RayBundle,
    x_c: Float[Tensor, "n 3"],
    *,
    max_steps: int = 5,
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"], Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Solve [two components of d(x_c) - r_o orthogonal to the ray; f(x_c)] = 0 from a near guess.

    Returns canonical points, depths along the rays, signed distances, and which rows are on the
    ray, on the surface, and entering it (the distance falls along the ray).
    """
    x_c = x_c.clone()
    n = len(x_c)
    depth, sdf = x_c.new_zeros(n), x_c.new_ones(n)
    accepted = torch.zeros(n, dtype=torch.bool, device=x_c.device)
    first, second = orthonormal_complement(rays.directions)
    rows = torch.arange(n, device=x_c.device)
    for step in range(max_steps + 1):
        x_d, jacobian = deform.with_jacobian(x_c[rows])
        value, gradient = field.with_gradient(x_c[rows])
        e1, e2, direction = first[rows], second[rows], rays.directions[rows]
        offset = x_d - rays.origins[rows]
        residual = torch.stack([(e1 * offset).sum(-1), (e2 * offset).sum(-1), value], dim=-1)
        depth[rows] = (direction * offset).sum(dim=-1)
        sdf[rows] = value
        off_ray = residual[:, :2].abs().amax(dim=-1)
        converged = (value.abs() < ON_SURFACE) & (off_ray < ON_RAY)
        slope = (gradient * matvec(inverse_3x3(jacobian), direction)).sum(dim=-1)
        accepted[rows[converged & (slope < 0)]] = True
        if step == max_steps or bool(converged.all()):
            break
        go = ~converged
        system = _surface_jacobian(e1[go], e2[go], jacobian[go], gradient[go])
        update = -torch.nan_to_num(matvec(inverse_3x3(system), residual[go]))
        rows = rows[go]
        x_c[rows] += _limit(update, MAX_SURFACE_STEP)
    return x_c, depth, sdf, accepted


@torch.no_grad()
def polish_point(
    deform: BoundDeformer,
    x_d: Float[Tensor, "n 3"],
    x_c: Float[Tensor, "n 3"],
    *,
    max_steps: int = 5,
    tolerance: float = 1e-4,
) -> tuple[Float[Tensor, "n 3"], Bool[Tensor, " n"]]:
    """Solve d(x_c) = x_d from a near guess; returns points and which of them have converged."""
    x_c = x_c.clone()
    converged = torch.zeros(len(x_c), dtype=torch.bool, device=x_c.device)
    rows = torch.arange(len(x_c), device=x_c.device)
    for step in range(max_steps + 1):
        image, jacobian = deform.with_jacobian(x_c[rows])
        residual = x_d[rows] - image
        done = residual.norm(dim=-1) < tolerance
        converged[rows[done]] = True
        if step == max_steps or bool(done.all()):
            break
        update = torch.nan_to_num(matvec(inverse_3x3(jacobian[~done]), residual[~done]))
        rows = rows[~done]
        x_c[rows] += _limit(update, MAX_POINT_STEP)
    return x_c, converged


def _surface_jacobian(e1, e2, jacobian, gradient) -> Float[Tensor, "n 3 3"]:
    return torch.cat([torch.stack([e1, e2], dim=1) @ jacobian, gradient[:, None]], dim=1)


def _limit(update: Float[Tensor, "n 3"], longest: float) -> Float[Tensor, "n 3"]:
    length = update.norm(dim=-1, keepdim=True)
    return update * (longest / length.clamp(min=longest))
