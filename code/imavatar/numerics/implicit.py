"""The implicit function theorem, in its only home: gradients of points found by a search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

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

    The value is unchanged, bit for bit. By the implicit function theorem dx/ds = -(dF/dx)^-1 dF/ds (paper, analytic
    gradient; docs/method.md, section 7). The Jacobian is a constant: first derivatives with respect to s are exact,
    second ones are not defined. Rows with a singular Jacobian keep their value and get no gradient.

    Args:
        residual: maps points to residuals, row by row, and closes over s.
        root: points where the residual vanishes to the solver's tolerance.
        jacobian: dF/dx at the root where it is known in closed form; else by autograd.
    """
    root = root.detach()
    if jacobian is None:
        jacobian = pointwise_jacobian(residual, root)
    inverse, regular = _regular_inverse(jacobian.detach())
    value = residual(root)
    x = root - matvec(inverse, value - value.detach())
    return ImplicitRoot(x, value.detach().norm(dim=-1), regular)


@dataclass(frozen=True)
class RootGraph:
    """What is computed at a point x near a root of residual(x; s) = 0, from one graph over x and s.

    Args:
        residual: vanishes at the root.
        jacobian: d residual / d x, in closed form; used as a constant.
        differentiated: outputs of the root x(s), which follow it where s moves it.
        constant: outputs of the root as a constant, which depend on s directly only.
    """

    residual: Float[Tensor, "n 3"]
    jacobian: Float[Tensor, "n 3 3"]
    differentiated: tuple[Tensor, ...]
    constant: tuple[Tensor, ...] = ()


def evaluate_at_root(
    graph: Callable[..., RootGraph], root: Float[Tensor, "n 3"], inputs: Sequence[Tensor], parameters: Sequence[Tensor]
) -> tuple[ImplicitRoot, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A root and what depends on it, with the gradients of `implicit_root`, from a single evaluation.

    Attaching a gradient to the root first takes an evaluation of the residual and its Jacobian before that of the
    outputs. Here one evaluation at the root serves both: the backward pass goes through the outputs to the root, and
    with what arrives there, -J^-T dL/dx, through the residual of the same graph.

    Args:
        graph: evaluates a point [n, 3] and the inputs; called once, with copies of them that have no history.
        inputs: what the evaluation depends on besides the point; they may depend on one another.
        parameters: what `graph` uses without being given it. None may depend on another or on an input.

    Returns:
        The root, its differentiated outputs, its constant outputs.
    """
    leaf = root.detach().requires_grad_(True)
    own = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in inputs]
    found = graph(leaf, *own)
    inverse, regular = _regular_inverse(found.jacobian.detach())
    x, *outputs = _AtRoot.apply(_Evaluation(leaf, (*own, *parameters), found, inverse), root, *inputs, *parameters)
    n = len(found.differentiated)
    residual = found.residual.detach().norm(dim=-1)
    return ImplicitRoot(x, residual, regular), tuple(outputs[:n]), tuple(outputs[n:])


@dataclass(frozen=True)
class _Evaluation:
    """A graph, its leaf x, and what else its gradients are asked for, in the order of the inputs and parameters."""

    x: Tensor
    leaves: tuple[Tensor, ...]
    graph: RootGraph
    inverse: Tensor


class _AtRoot(torch.autograd.Function):
    """Hands on the outputs of an evaluation; its backward pass is two of the evaluation's graph."""

    @staticmethod
    def forward(ctx: Any, evaluation: _Evaluation, root: Float[Tensor, "n 3"], *leaves: Tensor) -> tuple[Tensor, ...]:
        ctx.evaluation = evaluation
        ctx.set_materialize_grads(False)
        graph = evaluation.graph
        return (root.detach().clone(), *(output.detach() for output in (*graph.differentiated, *graph.constant)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_root: Tensor | None, *by_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
        evaluation = ctx.evaluation
        graph = evaluation.graph
        n = len(graph.differentiated)
        wanted = [leaf for leaf, needed in zip(evaluation.leaves, ctx.needs_input_grad[2:], strict=True) if needed]
        by_x, *first = _gradients(graph.differentiated, by_outputs[:n], (evaluation.x, *wanted))
        by_x = _sum(by_x, by_root)
        outputs, weights = graph.constant, by_outputs[n:]
        if by_x is not None:
            outputs = (graph.residual, *outputs)
            weights = (root_cotangent(evaluation.inverse, by_x), *weights)
        second = _gradients(outputs, weights, wanted)
        found = iter([_sum(a, b) for a, b in zip(first, second, strict=True)])
        return None, None, *(next(found) if needed else None for needed in ctx.needs_input_grad[2:])


def root_cotangent(inverse: Float[Tensor, "n 3 3"], by_root: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """What the gradient of a root, dL/dx, is for the residual: -J^-T dL/dx, by the implicit function theorem."""
    return -matvec(inverse.transpose(1, 2), by_root)


def _gradients(
    outputs: Sequence[Tensor], weights: Sequence[Tensor | None], inputs: Sequence[Tensor]
) -> list[Tensor | None]:
    """Of the outputs that have a weight and a graph; None for inputs that they do not reach."""
    pairs = [(o, w) for o, w in zip(outputs, weights, strict=True) if w is not None and o.requires_grad]
    if not pairs or not inputs:
        return [None] * len(inputs)
    reached, weights = zip(*pairs, strict=True)
    return list(torch.autograd.grad(reached, inputs, weights, retain_graph=True, allow_unused=True))


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _regular_inverse(jacobian: Float[Tensor, "n 3 3"]) -> tuple[Float[Tensor, "n 3 3"], Bool[Tensor, " n"]]:
    """Inverse of each Jacobian, zero where it is singular, and where it is not."""
    regular = torch.linalg.det(jacobian).abs() > SINGULAR_DETERMINANT
    identity = torch.eye(3, dtype=jacobian.dtype, device=jacobian.device)
    inverse = inverse_3x3(torch.where(regular[:, None, None], jacobian, identity))
    return inverse * regular[:, None, None], regular
