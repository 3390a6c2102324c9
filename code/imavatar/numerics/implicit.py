"""The implicit function theorem, in its only home: gradients of points found by a search."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.numerics.linalg import inverse_3x3, matvec, pointwise_jacobian

SINGULAR_DETERMINANT = 1e-6
"""Below this determinant of the residual's Jacobian a point keeps its value without a gradient."""


@dataclass(frozen=True)
class ImplicitRoot:
    """Points with the gradient of a solution, and how good a solution they are.

    `residual` is the norm at each point, without a gradient; where not `regular` there is no gradient.
    """

    x: Float[Tensor, "n 3"]
    residual: Float[Tensor, " n"]
    regular: Bool[Tensor, " n"]


def implicit_root(
    residual: Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]],
    root: Float[Tensor, "n 3"],
    jacobian: Float[Tensor, "n 3 3"] | None = None,
) -> ImplicitRoot:
    """Give `root` the gradient of the solution of residual(x; s) = 0.

    The value is unchanged, bit for bit. By the implicit function theorem
    dx/ds = -(dF/dx)^-1 dF/ds (paper, analytic gradient; SPEC section 7). The Jacobian is a
    constant: first derivatives with respect to s are exact, second ones are not defined. Rows
    with a singular Jacobian keep their value and get no gradient.

    Args:
        residual: maps points to residuals, row by row, and closes over s.
        root: points where the residual vanishes to the solver's tolerance.
        jacobian: dF/dx at the root where it is known in closed form; else by autograd.
    """
    root = root.detach()
    if jacobian is None:
        jacobian = pointwise_jacobian(residual, root)
    jacobian = jacobian.detach()
    regular = torch.linalg.det(jacobian).abs() > SINGULAR_DETERMINANT
    identity = torch.eye(3, dtype=root.dtype, device=root.device)
    inverse = inverse_3x3(torch.where(regular[:, None, None], jacobian, identity))
    inverse = inverse * regular[:, None, None]
    value = residual(root)
    x = root - matvec(inverse, value - value.detach())
    return ImplicitRoot(x, value.detach().norm(dim=-1), regular)


def attach_implicit_gradient(
    residual: Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]],
    root: Float[Tensor, "n 3"],
    jacobian: Float[Tensor, "n 3 3"] | None = None,
) -> Float[Tensor, "n 3"]:
    """The points of `implicit_root` alone."""
    return implicit_root(residual, root, jacobian).x
