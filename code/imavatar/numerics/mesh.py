"""Triangle meshes: normals, areas, and finer meshes by midpoints of edges."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def face_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "f 3"]:
    """Normals of the faces, each as long as twice the face's area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Unit normals, faces weighted by their area; zero at vertices without a face."""
    face_normal = face_normals(vertices, faces)
    normal = np.stack(
        [np.bincount(faces.ravel(), np.repeat(face_normal[:, axis], 3), len(vertices)) for axis in range(3)], axis=-1
    )
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)


def face_areas(vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]) -> Float[Tensor, " f"]:
    """Areas of the faces, in the vertices' unit squared."""
    a, b, c = vertices[faces].unbind(dim=1)
    return torch.linalg.cross(b - a, c - a, dim=-1).norm(dim=-1) / 2


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
