"""Triangle meshes: finer copies of a mesh that follow it, and smooth noise to paint with."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

NOISE_PERIOD = 32
"""Cells after which the noise repeats."""


@dataclass(frozen=True)
class FineMesh:
    """A finer mesh on the faces of a coarse one: where each fine vertex lies on the coarse mesh.

    `corners` are coarse vertices and `weights` their barycentric coordinates; `uv` is the texture coordinate.
    """

    corners: Int[np.ndarray, "m 3"]
    weights: Float[np.ndarray, "m 3"]
    uv: Float[np.ndarray, "m 2"]
    faces: Int[np.ndarray, "f 3"]

    def interpolate(self, values: Float[np.ndarray, "v c"]) -> Float[np.ndarray, "m c"]:
        """Values at the coarse vertices, at the fine ones."""
        return np.einsum("mk,mkc->mc", self.weights, values[self.corners])

    def keep_faces(self, keep: Bool[np.ndarray, " f"]) -> tuple["FineMesh", Int[np.ndarray, " k"]]:
        """Only some of the faces, and which of the vertices belong to one: the others are left out."""
        used, faces = np.unique(self.faces[keep], return_inverse=True)
        return FineMesh(self.corners[used], self.weights[used], self.uv[used], faces.reshape(-1, 3)), used


def subdivide_with_uv(faces: Int[np.ndarray, "f 3"], corner_uv: Float[np.ndarray, "f 3 2"], parts: int) -> FineMesh:
    """Each face in parts^2 triangles. Fine vertices on a shared edge are shared.

    On a seam of the texture a vertex takes the texture coordinate of one of its faces.
    """
    lattice, small = _triangle_lattice(parts)
    weights = np.broadcast_to(lattice, (len(faces), *lattice.shape)).reshape(-1, 3)
    corners = np.repeat(faces, len(lattice), axis=0)
    uv = np.einsum("lk,fkc->flc", lattice, corner_uv).reshape(-1, 2)
    first, index = _unify(corners, weights, parts)
    fine_faces = small[None] + len(lattice) * np.arange(len(faces))[:, None, None]
    return FineMesh(corners[first], weights[first].astype(np.float32), uv[first], index[fine_faces.reshape(-1, 3)])


def _triangle_lattice(parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric coordinates of a regular lattice on a triangle, and its small triangles."""
    points = [(parts - i - j, i, j) for i in range(parts + 1) for j in range(parts + 1 - i)]
    index = {(i, j): k for k, (_, i, j) in enumerate(points)}
    triangles = []
    for i in range(parts):
        for j in range(parts - i):
            triangles.append((index[i, j], index[i + 1, j], index[i, j + 1]))
            if i + j < parts - 1:
                triangles.append((index[i + 1, j], index[i + 1, j + 1], index[i, j + 1]))
    return np.array(points) / parts, np.array(triangles)


def _unify(corners: np.ndarray, weights: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Fine vertices that several faces have in common: the first of each, and where each went."""
    count = np.rint(weights * parts).astype(np.int64)
    vertex = np.where(count > 0, corners, -1)
    order = np.argsort(vertex, axis=1)
    key = np.concatenate([np.take_along_axis(values, order, 1) for values in (vertex, count)], axis=1)
    _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return first, index.reshape(-1)


def unit(vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Vectors of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def value_noise(points: Float[np.ndarray, "*n 3"], seed: int, frequency: float) -> Float[np.ndarray, "*n"]:
    """Smooth noise in [-1, 1]: random values on a grid of `frequency` cells per length unit, blended in between."""
    grid = np.random.default_rng(seed).uniform(-1, 1, (NOISE_PERIOD,) * 3)
    scaled = np.asarray(points) * frequency
    cell = np.floor(scaled).astype(np.int64)
    fraction = scaled - cell
    fraction = fraction * fraction * (3 - 2 * fraction)
    total = np.zeros(scaled.shape[:-1])
    for corner in np.ndindex(2, 2, 2):
        share = np.where(np.array(corner) == 1, fraction, 1 - fraction).prod(axis=-1)
        total += share * grid[tuple(((cell + corner) % NOISE_PERIOD).reshape(-1, 3).T)].reshape(share.shape)
    return total


def sample_texture(texture: Float[np.ndarray, "h w"], uv: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
    """A grey texture at texture coordinates (u right, v up, 0...1), bilinear."""
    height, width = texture.shape
    x = np.clip(uv[..., 0] * width - 0.5, 0, width - 1.001)
    y = np.clip((1 - uv[..., 1]) * height - 0.5, 0, height - 1.001)
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, down = x - column, y - row
    upper = texture[row, column] * (1 - right) + texture[row, column + 1] * right
    lower = texture[row + 1, column] * (1 - right) + texture[row + 1, column + 1] * right
    return upper * (1 - down) + lower * down
