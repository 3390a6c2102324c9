"""Which pixels show strands of hair, by their centre lines: a rasterised mesh does not say."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float

from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.surfaces import Curves

SPACING = 0.7
"""Pixels between the points of a strand that are looked at, at most."""
IN_FRONT = 0.002
"""Model units, half a millimetre: strands that lie deeper under the surface are not seen."""


def strand_cover(
    curves: Sequence[Curves], camera: StudioCamera, depth: Float[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Pixels in which some strand is before the surface.

    Args:
        depth: of the surface, model units; infinite where there is none.
    """
    cover = np.zeros(depth.shape, dtype=bool)
    for strands in curves:
        for control, per_segment in _by_length(strands.points, camera):
            pixels, distance = camera.project(bspline_points(control, per_segment).reshape(-1, 3))
            column, row = np.rint(pixels).astype(int).T
            inside = (column >= 0) & (column < depth.shape[1]) & (row >= 0) & (row < depth.shape[0])
            row, column, distance = row[inside], column[inside], distance[inside]
            seen = distance < depth[row, column] + IN_FRONT
            cover[row[seen], column[seen]] = True
    return cover


def _by_length(
    control: Float[np.ndarray, "n k 3"], camera: StudioCamera
) -> Iterator[tuple[Float[np.ndarray, "m k 3"], int]]:
    """Strands with how many points their segments need, a power of two."""
    pixels, _ = camera.project(control.reshape(-1, 3))
    reach = np.abs(np.diff(pixels.reshape(*control.shape[:2], 2), axis=1)).max(axis=(1, 2), initial=0)
    needed = 2 ** np.ceil(np.log2(np.maximum(reach / SPACING, 1))).astype(int)
    for per_segment in np.unique(needed):
        yield control[needed == per_segment], int(per_segment)


def bspline_points(control: Float[np.ndarray, "n k 3"], per_segment: int) -> Float[np.ndarray, "n p 3"]:
    """Points of uniform cubic B-splines, `per_segment` on each of their k - 3 segments, and the last end."""
    t = np.linspace(0, 1, per_segment, endpoint=False)
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    segments = [control[:, k : k + 4] for k in range(control.shape[1] - 3)]
    points = [np.einsum("pk,nkc->npc", weights, segment) for segment in segments]
    end = np.einsum("k,nkc->nc", np.array([0, 1, 4, 1]) / 6, segments[-1])
    return np.concatenate([*points, end[:, None]], axis=1)
