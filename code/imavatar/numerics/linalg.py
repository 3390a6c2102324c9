"""Small matrices in large batches, rigid transforms, and Jacobians of pointwise functions."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def rigid_transform(rotation: Float[Tensor, "*b 3 3"], translation: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 4 4"]:
    """The homogeneous matrix of x -> rotation x + translation."""
    top = torch.cat([rotation, translation[..., None]], dim=-1)
    bottom = torch.eye(4, dtype=top.dtype, device=top.device)[3:].expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], dim=-2)


def transform_points(transforms: Float[Tensor, "*#b 4 4"], points: Float[Tensor, "*#b 3"]) -> Float[Tensor, "*#b 3"]:
    """Each point under its own homogeneous transform."""
    return matvec(transforms[..., :3, :3], points) + transforms[..., :3, 3]


def matvec(matrix: Float[Tensor, "*#b i j"], vector: Float[Tensor, "*#b j"]) -> Float[Tensor, "*#b i"]:
    """Batched matrix times vector."""
    return (matrix @ vector[..., None])[..., 0]


def inverse_3x3(matrix: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
    """Inverse in closed form, many times faster than a general solver for batches of small matrices.

    Rows of a singular matrix become infinite or NaN: callers that can meet one check for it.
    """
    a, b, c = matrix.unbind(dim=-2)
    columns = [torch.linalg.cross(u, v, dim=-1) for u, v in ((b, c), (c, a), (a, b))]
    determinant = (a * columns[0]).sum(dim=-1)
    return torch.stack(columns, dim=-1) / determinant[..., None, None]


def pointwise_jacobian(
    function: Callable[[Tensor], Tensor], x: Float[Tensor, "n i"], *, create_graph: bool = False
) -> Float[Tensor, "n o i"]:
    """Jacobian of a function that treats rows independently: J[n, o, i] = d function(x)[n, o] / d x[n, i]."""
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_(True)
        y = function(x)
        rows = [
            torch.autograd.grad(y[..., i].sum(), x, create_graph=create_graph, retain_graph=True)[0]
            for i in range(y.shape[-1])
        ]
    return torch.stack(rows, dim=-2)


def orthonormal_complement(direction: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Two unit vectors that complete unit directions to orthonormal, right-handed frames.

    The helper axis is the one that the direction has least of, so there is no singular direction.
    """
    axis = torch.nn.functional.one_hot(direction.abs().argmin(dim=-1), 3).to(direction.dtype)
    first = torch.nn.functional.normalize(torch.linalg.cross(direction, axis, dim=-1), dim=-1)
    return first, torch.linalg.cross(direction, first, dim=-1)
