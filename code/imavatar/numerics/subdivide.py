"""Finer triangle meshes by midpoints of edges."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def subdivide(faces: Int[Tensor, "f 3"], n_vertices: int) -> tuple[Int[Tensor, "g 3"], Int[Tensor, "m 2"]]:
    """Each face as four: the new faces, and the ends of the edges whose midpoints follow the old vertices."""
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    ends, number = torch.unique(edges.sort(dim=1).values, dim=0, return_inverse=True)
    a, b, c = faces.unbind(dim=1)
    ab, bc, ca = (n_vertices + number).view(-1, 3).unbind(dim=1)
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return torch.cat([torch.stack(part, dim=1) for part in parts]), ends


def with_midpoints(values: Float[Tensor, "v d"], ends: Int[Tensor, "m 2"]) -> Float[Tensor, "w d"]:
    """Values at the vertices, followed by those at the midpoints of edges."""
    return torch.cat([values, values[ends].mean(dim=1)])
