"""A z-buffer for triangle meshes on the CPU: which face each pixel sees, and where on it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

MAX_CANDIDATES = 4_000_000
"""Pixel and triangle pairs looked at in one go; bounds the memory to a few hundred megabytes."""


@dataclass(frozen=True)
class Raster:
    """What each pixel sees: face index (-1: none), barycentric coordinates on it, depth (infinite: none)."""

    face: Int[np.ndarray, "h w"]
    barycentric: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]

    @property
    def covered(self) -> np.ndarray:
        """Pixels that see a face."""
        return self.face >= 0

    def interpolate(
        self,
        values: Float[np.ndarray, "v c"],
        faces: Int[np.ndarray, "f 3"],
        background: float = 0.0,
    ) -> Float[np.ndarray, "h w c"]:
        """Values given at the vertices, at every pixel."""
        image = np.full((*self.face.shape, values.shape[-1]), background, dtype=np.float32)
        corners = values[faces[self.face[self.covered]]]  # [pixels, 3, c]
        image[self.covered] = np.einsum("pk,pkc->pc", self.barycentric[self.covered], corners)
        return image


def rasterize(
    pixels: Float[np.ndarray, "v 2"],
    depth: Float[np.ndarray, " v"],
    faces: Int[np.ndarray, "f 3"],
    size: tuple[int, int],
    *,
    perspective: bool = True,
    cull: bool = False,
) -> Raster:
    """The nearest face at each pixel of an image; pixels are sampled at their integer coordinates.

    Args:
        pixels: projected vertices, u to the right and v down.
        depth: distance of the vertices along the viewing direction; faces that reach to 0 or behind are left out,
            not clipped.
        faces: vertex indices; counter-clockwise seen from the front, in a frame with y up.
        size: height and width.
        perspective: barycentric coordinates and depth as under a pinhole camera; otherwise linear in the image.
        cull: leave out faces seen from behind.
    """
    height, width = size
    corners = pixels[faces].astype(np.float64)  # [f, 3, 2]
    corner_depth = depth[faces].astype(np.float64)
    area = _signed_area(corners)
    # y points down on the screen, so a face seen from the front has a negative area there
    drawable = np.isfinite(area) & (corner_depth.min(axis=1, initial=np.inf) > 0)
    drawable &= area < 0 if cull else area != 0
    nearest = np.full(height * width, np.inf)
    face_of = np.full(height * width, -1, dtype=np.int64)
    weights_of = np.zeros((height * width, 3), dtype=np.float32)
    for face, u, v in _candidates(corners, np.flatnonzero(drawable), height, width):
        weights = _barycentric(corners[face], area[face], u, v)
        inside = (weights >= 0).all(axis=1)
        face, pixel, weights = face[inside], (v * width + u)[inside], weights[inside]
        if perspective:
            weights = weights / corner_depth[face]
            z = 1 / weights.sum(axis=1)
            weights = weights * z[:, None]
        else:
            z = (weights * corner_depth[face]).sum(axis=1)
        np.minimum.at(nearest, pixel, z)
        # backwards, so that of two faces at equal depth the first one stays
        winner = np.flatnonzero(z == nearest[pixel])[::-1]
        face_of[pixel[winner]], weights_of[pixel[winner]] = face[winner], weights[winner]
    return Raster(face_of.reshape(size), weights_of.reshape(height, width, 3), nearest.reshape(size))


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Unit normals, faces weighted by their area; zero at vertices without a face."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normal = np.cross(b - a, c - a)
    normal = np.stack(
        [np.bincount(faces.ravel(), np.repeat(face_normal[:, axis], 3), len(vertices)) for axis in range(3)],
        axis=-1,
    )
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)


def _signed_area(corners: np.ndarray) -> np.ndarray:
    """Twice the area of triangles [f, 3, 2], negative where they turn counter-clockwise on the screen."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def _candidates(
    corners: np.ndarray, drawable: np.ndarray, height: int, width: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Faces and the pixels (u, v) of their bounding boxes, in portions of bounded size."""
    limit = np.array([width, height])
    first = np.clip(np.ceil(corners[drawable].min(axis=1)), 0, limit).astype(np.int64)
    last = np.clip(np.floor(corners[drawable].max(axis=1)), -1, limit - 1).astype(np.int64)
    extent = np.maximum(last - first + 1, 0)
    count = extent.prod(axis=1)
    portion = np.cumsum(count) // MAX_CANDIDATES
    for index in range(int(portion[-1]) + 1 if len(portion) else 0):
        rows = np.flatnonzero((portion == index) & (count > 0))
        n = count[rows]
        within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)  # 0 ... n-1 of each face
        row = np.repeat(rows, n)
        columns = extent[row, 0]
        yield drawable[row], first[row, 0] + within % columns, first[row, 1] + within // columns


def _barycentric(corners: np.ndarray, area: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Barycentric coordinates [n, 3] of pixels in the plane of the screen."""
    du, dv = corners[..., 0] - u[:, None], corners[..., 1] - v[:, None]
    first = du[:, 1] * dv[:, 2] - dv[:, 1] * du[:, 2]
    second = du[:, 2] * dv[:, 0] - dv[:, 2] * du[:, 0]
    third = du[:, 0] * dv[:, 1] - dv[:, 0] * du[:, 1]
    return np.stack([first, second, third], axis=-1) / area[:, None]
