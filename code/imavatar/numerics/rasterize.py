"""A z-buffer for triangle meshes on the CPU: which face each pixel sees, and where on it."""

from dataclasses import dataclass
from functools import partial
from typing import no_type_check

import numpy as np
import warp as wp
from jaxtyping import Float, Int

from imavatar.numerics.nvidia_warp import initialise_warp

CPU = "cpu"
FACES = wp.constant(2**32)
NOTHING = wp.constant(2**64 - 1)
"""Greater than every depth and face."""

Pixels, Faces = wp.array(dtype=wp.vec2d), wp.array(dtype=wp.vec3i)
Depths, Barycentrics = wp.array(dtype=wp.float64), wp.array(dtype=wp.vec3)
FaceNumbers, Keys = wp.array(dtype=wp.int64), wp.array(dtype=wp.uint64)

_shared = partial(wp.array, device=CPU, copy=False)
"""The memory of a numpy array, for a kernel to write to."""


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
        self, values: Float[np.ndarray, "v c"], faces: Int[np.ndarray, "f 3"], background: float = 0.0
    ) -> Float[np.ndarray, "h w c"]:
        """Values given at the vertices, at every pixel."""
        height, width = self.face.shape
        n_values = values.shape[-1]
        image = np.full((height * width, n_values), background, dtype=np.float32)
        inputs = [
            wp.array(values, dtype=wp.float32, device=CPU),
            wp.array(faces, dtype=wp.vec3i, device=CPU),
            _shared(self.face.reshape(-1), dtype=wp.int64),
            _shared(self.barycentric.reshape(-1, 3), dtype=wp.vec3),
            _shared(image, dtype=wp.float32),
        ]
        wp.launch(_interpolate_kernel, height * width, inputs, device=CPU)
        return image.reshape(height, width, n_values)


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
    initialise_warp()
    height, width = size
    mesh = [
        wp.array(pixels, dtype=wp.vec2d, device=CPU),
        wp.array(depth, dtype=wp.float64, device=CPU),
        wp.array(faces, dtype=wp.vec3i, device=CPU),
    ]
    nearest = wp.full(height * width, NOTHING, dtype=wp.uint64, device=CPU)
    wp.launch(_nearest_kernel, len(faces), [*mesh, height, width, perspective, cull, nearest], device=CPU)
    found = Raster(
        face=np.full(size, -1, dtype=np.int64),
        barycentric=np.zeros((height, width, 3), dtype=np.float32),
        depth=np.full(size, np.inf),
    )
    out = [
        _shared(found.face.reshape(-1), dtype=wp.int64),
        _shared(found.barycentric.reshape(-1, 3), dtype=wp.vec3),
        _shared(found.depth.reshape(-1), dtype=wp.float64),
    ]
    wp.launch(_resolve_kernel, height * width, [*mesh, width, perspective, nearest, *out], device=CPU)
    return found


@wp.func
@no_type_check
def _weights(a: wp.vec2d, b: wp.vec2d, c: wp.vec2d, u: wp.float64, v: wp.float64) -> wp.vec3d:
    """Barycentric coordinates of a pixel in the plane of the screen."""
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    first = (b[0] - u) * (c[1] - v) - (b[1] - v) * (c[0] - u)
    second = (c[0] - u) * (a[1] - v) - (c[1] - v) * (a[0] - u)
    third = (a[0] - u) * (b[1] - v) - (a[1] - v) * (b[0] - u)
    return wp.vec3d(first / area, second / area, third / area)


@wp.func
@no_type_check
def _depth(weights: wp.vec3d, depth: wp.vec3d, perspective: bool) -> wp.float64:
    """Depth at a point of a face, given in the plane of the screen; under a pinhole camera its inverse is linear."""
    if perspective:
        return wp.float64(1.0) / (weights[0] / depth[0] + weights[1] / depth[1] + weights[2] / depth[2])
    return wp.dot(weights, depth)


@wp.func
@no_type_check
def _in_range(value: wp.float64, last: int) -> int:
    """A coordinate as a whole number from -1 to last + 1, also where it is far outside."""
    return int(wp.clamp(value, wp.float64(-1.0), wp.float64(last + 1)))


@wp.kernel
@no_type_check
def _nearest_kernel(
    pixels: Pixels, depth: Depths, faces: Faces, height: int, width: int, perspective: bool, cull: bool, nearest: Keys
):
    # Of all faces at a pixel the least of depth and, at equal depths, index: both in one number, the depth in front.
    i = wp.tid()
    face = faces[i]
    a, b, c = pixels[face[0]], pixels[face[1]], pixels[face[2]]
    z = wp.vec3d(depth[face[0]], depth[face[1]], depth[face[2]])
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    # y points down on the screen, so a face seen from the front has a negative area there.
    facing = area < wp.float64(0.0) or (area > wp.float64(0.0) and not cull)
    drawable = facing and wp.isfinite(area) and wp.min(z) > wp.float64(0.0)
    if drawable:
        left = _in_range(wp.ceil(wp.min(a[0], wp.min(b[0], c[0]))), width)
        right = _in_range(wp.floor(wp.max(a[0], wp.max(b[0], c[0]))), width)
        top = _in_range(wp.ceil(wp.min(a[1], wp.min(b[1], c[1]))), height)
        bottom = _in_range(wp.floor(wp.max(a[1], wp.max(b[1], c[1]))), height)
        for v in range(wp.max(top, 0), wp.min(bottom, height - 1) + 1):
            for u in range(wp.max(left, 0), wp.min(right, width - 1) + 1):
                weights = _weights(a, b, c, wp.float64(u), wp.float64(v))
                if wp.min(weights) >= wp.float64(0.0):
                    # The bits of positive numbers are in the order of the numbers.
                    bits = wp.cast(wp.float32(_depth(weights, z, perspective)), wp.uint32)
                    key = wp.uint64(bits) * wp.uint64(FACES) + wp.uint64(i)
                    wp.atomic_min(nearest, v * width + u, key)


@wp.kernel
@no_type_check
def _resolve_kernel(
    pixels: Pixels,
    depth: Depths,
    faces: Faces,
    width: int,
    perspective: bool,
    nearest: Keys,
    face_of: FaceNumbers,
    barycentric: Barycentrics,
    depth_of: Depths,
):
    p = wp.tid()
    if nearest[p] != wp.uint64(NOTHING):
        i = int(nearest[p] % wp.uint64(FACES))
        face = faces[i]
        z = wp.vec3d(depth[face[0]], depth[face[1]], depth[face[2]])
        weights = _weights(
            pixels[face[0]], pixels[face[1]], pixels[face[2]], wp.float64(p % width), wp.float64(p // width)
        )
        here = _depth(weights, z, perspective)
        if perspective:
            weights = wp.cw_div(weights, z) * here
        face_of[p] = wp.int64(i)
        barycentric[p] = wp.vec3(float(weights[0]), float(weights[1]), float(weights[2]))
        depth_of[p] = here


@wp.kernel
@no_type_check
def _interpolate_kernel(
    values: wp.array2d(dtype=wp.float32),
    faces: wp.array(dtype=wp.vec3i),
    face_of: wp.array(dtype=wp.int64),
    barycentric: wp.array(dtype=wp.vec3),
    image: wp.array2d(dtype=wp.float32),
):
    p = wp.tid()
    if face_of[p] >= wp.int64(0):
        face = faces[int(face_of[p])]
        weights = barycentric[p]
        for k in range(values.shape[1]):
            image[p, k] = (
                weights[0] * values[face[0], k] + weights[1] * values[face[1], k] + weights[2] * values[face[2], k]
            )
