"""Refuses head models that no face can have, which would otherwise show as an empty or torn image much later."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from imavatar.errors import AssetError
from imavatar.numerics.mesh import face_normals

WEIGHT_TOLERANCE = 0.01
"""Of a vertex's skinning weights: how far below 0, and their sum from 1. Files round them at 1e-3 at worst."""
SMALLEST_FACE = 1e-12
"""A face with an area of less than this times the head's squared extent counts as degenerate."""


def check_plausible(
    path: Path,
    v_template: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    weights: Float[np.ndarray, "v 5"],
) -> None:
    """Check a head's surface and its skinning weights.

    Args:
        path: named in the errors.
        v_template: vertices, metres.
        faces: their vertices' indices, in range.
        weights: of each vertex to the joints.

    Raises:
        AssetError: all vertices at one place, no face with an area, or weights that are negative or do not sum to 1.
    """
    vertices = v_template.astype(np.float64)
    extent = np.ptp(vertices, axis=0).max()
    if extent == 0:
        raise AssetError(f"{path}: v_template has all {len(vertices)} vertices at one place, expected a head's surface")
    if np.linalg.norm(face_normals(vertices, faces), axis=1).max() / 2 < SMALLEST_FACE * extent**2:
        raise AssetError(f"{path}: f has {len(faces)} faces and none with an area, expected a head's surface")
    sums = weights.sum(axis=1, dtype=np.float64)
    off = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[off] - 1) > WEIGHT_TOLERANCE:
        raise AssetError(f"{path}: weights of vertex {off} sum to {sums[off]:.4g}, expected 1")
    lowest = int(np.argmin(weights.min(axis=1)))
    if weights[lowest].min() < -WEIGHT_TOLERANCE:
        raise AssetError(f"{path}: weights of vertex {lowest} has {weights[lowest].min():.4g}, expected 0 to 1")
