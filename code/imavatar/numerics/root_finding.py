"""Batched root finding in three dimensions. No gradient is recorded."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.numerics.linalg import matvec
from imavatar.types import TensorRecord

RowFunction = Callable[[Float[Tensor, "m 3"], Int[Tensor, " m"]], Float[Tensor, "m 3"]]
"""Maps points and the indices of their rows in the whole problem to residuals."""


@dataclass(frozen=True)
class RootResult(TensorRecord):
    """An iterate of each row, the least norm of its residuals, and whether that is small enough."""

    x: Float[Tensor, "n 3"]
    residual: Float[Tensor, " n"]
    converged: Bool[Tensor, " n"]


@torch.no_grad()
def broyden(
    function: RowFunction,
    x: Float[Tensor, "n 3"],
    inverse_jacobian: Float[Tensor, "n 3 3"],
    *,
    max_steps: int = 10,
    tolerance: float = 1e-5,
    divergence: float = 1.0,
    keep_best: bool = True,
) -> RootResult:
    """Roots by Broyden's good method (rank-1 updates of the inverse Jacobian), docs/method.md, section 5.

    Every row is solved for itself: rows that have converged, or whose residual exceeds
    `divergence`, are no longer evaluated. The update's denominator is kept 1e-6 away from zero.

    Args:
        function: residuals of points [m, 3]; gets the rows' indices [m] as its second argument.
        inverse_jacobian: start of the inverse Jacobian of each row.
        keep_best: return the iterate of least residual, as the method means to. Without it the last
            one, which differs where a row has not converged: what the authors' code returns.
    """
    best = x.clone()
    value = function(x, torch.arange(len(x), device=x.device))
    best_norm = value.norm(dim=-1)
    # Masks become indices once for all tensors: a GPU is waited for each time.
    rows = ((best_norm >= tolerance) & (best_norm < divergence)).nonzero()[:, 0]
    point, value, inverse = x[rows], value[rows], inverse_jacobian[rows]
    for _ in range(max_steps):
        if len(rows) == 0:
            break
        step = -matvec(inverse, value)
        point = point + step
        new_value = function(point, rows)
        norm = new_value.norm(dim=-1)
        least = best_norm[rows]
        best[rows] = torch.where((norm < least)[:, None], point, best[rows]) if keep_best else point
        best_norm[rows] = torch.fmin(norm, least)
        inverse = good_broyden_update(inverse, step, new_value - value)
        keep = ((norm >= tolerance) & (norm < divergence)).nonzero()[:, 0]
        rows, point, value, inverse = rows[keep], point[keep], new_value[keep], inverse[keep]
    return RootResult(x=best, residual=best_norm, converged=best_norm < tolerance)


def good_broyden_update(
    inverse: Float[Tensor, "n 3 3"], step: Float[Tensor, "n 3"], change: Float[Tensor, "n 3"]
) -> Float[Tensor, "n 3 3"]:
    """The inverse Jacobian after a step that changed the residual by `change` (rank 1; docs/method.md, section 5)."""
    row = (step[:, None] @ inverse)[:, 0]
    denominator = (row * change).sum(dim=-1)
    sign = torch.where(denominator >= 0, 1.0, -1.0).to(denominator)
    denominator = denominator + 1e-6 * sign
    column = (step - matvec(inverse, change)) / denominator[:, None]
    return inverse + column[:, :, None] * row[:, None]
