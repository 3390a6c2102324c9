"""From landmarks in pictures of a head to places on its mesh: the robust mean over many views."""

from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from imavatar.anatomy import Joint
from imavatar.errors import AssetError
from imavatar.head.assets import HeadAssets
from imavatar.head.landmark_views import HeadView, outer_faces
from imavatar.head.mesh_points import FACE_OVAL, LOWER_LIP_POINTS, UPPER_LIP_POINTS

Detector = Callable[[np.ndarray], np.ndarray | None]

MAX_MISS = 6.0
"""Pixels that a landmark may lie off the part of the head it belongs to."""

ROBUST_SCALE = 0.003
"""Scale of the Cauchy weights, metres: landmarks of single views stray by that much."""

NEAREST_FACES = 24
"""Faces of which the nearest point is taken from, by their centres."""

NOSE_TIP, OVAL_SIDES = 1, (234, 454)
"""Landmarks: the tip of the nose, the outermost points of the subject's right and left."""

OVAL, LOWER, UPPER, OTHER = range(4)


def cast_landmarks(
    assets: HeadAssets, detect: Detector, views: Iterable[HeadView]
) -> tuple[Int[np.ndarray, " 468"], Float[np.ndarray, "468 3"], Float[np.ndarray, " 468"]]:
    """Faces, barycentric coordinates and spread (metres) of the landmarks, averaged in template space."""
    allowed = _allowed_faces(assets)
    kinds = _landmark_kinds()
    points, weights = [], []
    for view in views:
        detected = detect(view.image)
        if detected is not None:
            point, weight = _cast_view(assets, view, detected[: len(kinds), :2], kinds, allowed)
            points.append(point)
            weights.append(weight)
    if len(points) < 3:
        raise AssetError(
            f"head model {assets.name}: the face detector found a face in {len(points)} of its renderings, at "
            "least 3 are needed; is the head a face that looks along +z with y up, in metres?"
        )
    mean, spread = robust_mean(np.stack(points), np.stack(weights))
    faces = np.zeros(len(kinds), dtype=np.int64)
    barycentric = np.zeros((len(kinds), 3))
    for kind, mask in allowed.items():
        rows = np.flatnonzero(kinds == kind)
        faces[rows], barycentric[rows] = snap(mean[rows], assets.v_template, assets.faces, mask)
    return faces, barycentric.astype(np.float32), spread.astype(np.float32)


def robust_mean(
    points: Float[np.ndarray, "k n 3"], weights: Float[np.ndarray, "k n"]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Mean over k views with Cauchy weights, started at the weighted median, and the weighted deviation."""
    mean = _weighted_median(points, weights)
    for _ in range(10):
        distance = np.linalg.norm(points - mean, axis=-1)
        robust = weights / (1 + (distance / ROBUST_SCALE) ** 2)
        mean = (points * robust[..., None]).sum(axis=0) / robust.sum(axis=0)[:, None]
    return mean, np.sqrt((robust * distance**2).sum(axis=0) / robust.sum(axis=0))


def snap(
    points: Float[np.ndarray, "n 3"],
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    allowed: Bool[np.ndarray, " f"],
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """The nearest point of the allowed faces, as face and barycentric coordinates.

    Only the faces with the nearest centres are looked at, which finds the nearest point on meshes with faces of
    similar size.
    """
    rows = np.flatnonzero(allowed)
    triangles = vertices[faces[rows]].astype(np.float64)
    _, near = KDTree(triangles.mean(axis=1)).query(points, k=min(NEAREST_FACES, len(rows)))
    near = near.reshape(len(points), -1)
    barycentric = closest_barycentric(points[:, None], triangles[near])
    distance = np.linalg.norm(np.einsum("nkc,nkcx->nkx", barycentric, triangles[near]) - points[:, None], axis=-1)
    best = np.arange(len(points)), distance.argmin(axis=1)
    return rows[near[best]], barycentric[best]


def closest_barycentric(
    points: Float[np.ndarray, "*#n 3"], triangles: Float[np.ndarray, "*#n 3 3"]
) -> Float[np.ndarray, "*#n 3"]:
    """Barycentric coordinates of the point of each triangle that is nearest to a point.

    The nearest point lies inside the triangle, or else it is the nearest of the nearest points of its three sides.
    """
    points = np.broadcast_to(points, (*triangles.shape[:-2], 3))
    a, b, c = (triangles[..., k, :] for k in range(3))
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = ((x * y).sum(axis=-1) for x, y in ((ab, ab), (ab, ac), (ac, ac)))
    d20, d21 = (ap * ab).sum(axis=-1), (ap * ac).sum(axis=-1)
    determinant = np.maximum(d00 * d11 - d01**2, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / determinant, (d00 * d21 - d01 * d20) / determinant
    options = [np.stack([1 - v - w, v, w], axis=-1)]
    for start, end in ((0, 1), (1, 2), (2, 0)):
        p, q = triangles[..., start, :], triangles[..., end, :]
        length = np.maximum(((q - p) ** 2).sum(axis=-1), 1e-30)
        t = np.clip(((points - p) * (q - p)).sum(axis=-1) / length, 0, 1)
        side = np.zeros(points.shape)
        side[..., start], side[..., end] = 1 - t, t
        options.append(side)
    stack = np.stack(options)  # [4, *n, 3]
    found = np.einsum("o...c,...cx->o...x", stack, triangles)
    distance = np.linalg.norm(found - points, axis=-1)
    distance[0] = np.where((stack[0] >= 0).all(axis=-1), distance[0], np.inf)
    best = distance.argmin(axis=0)
    return np.take_along_axis(stack, best[None, ..., None], axis=0)[0]


def _landmark_kinds() -> Int[np.ndarray, " 468"]:
    """Where on the head a landmark may lie: lips must not swap, and the oval is the outline of a view."""
    kinds = np.full(468, OTHER)
    for kind, index in ((OVAL, FACE_OVAL), (UPPER, UPPER_LIP_POINTS), (LOWER, LOWER_LIP_POINTS)):
        kinds[list(index)] = kind
    return kinds


def _allowed_faces(assets: HeadAssets) -> dict[int, Bool[np.ndarray, " f"]]:
    """Faces of the mesh on which the landmarks of each kind may lie."""
    skin = outer_faces(assets)
    jaw = assets.weights[:, Joint.JAW][assets.faces].mean(axis=1)
    return {OVAL: skin, OTHER: skin, LOWER: skin & (jaw > 0.5), UPPER: skin & (jaw < 0.5)}


def _cast_view(
    assets: HeadAssets, view: HeadView, pixels: np.ndarray, kinds: np.ndarray, allowed: dict
) -> tuple[Float[np.ndarray, "468 3"], Float[np.ndarray, " 468"]]:
    """Template points that the landmarks of one view show, and how much they count."""
    raster = view.raster
    position = raster.interpolate(assets.v_template, assets.faces)
    height, width = raster.face.shape
    # the middle of pixel 0 is at 0.5 in the detector's continuous coordinates
    column = np.clip(np.round(pixels[:, 0] - 0.5).astype(int), 0, width - 1)
    row = np.clip(np.round(pixels[:, 1] - 0.5).astype(int), 0, height - 1)
    points, weights = np.zeros((len(kinds), 3)), np.zeros(len(kinds))
    for kind, mask in allowed.items():
        shown = raster.covered & mask[raster.face]
        if not shown.any():
            continue
        miss, nearest = cast(tuple[np.ndarray, np.ndarray], distance_transform_edt(~shown, return_indices=True))
        which = np.flatnonzero(kinds == kind)
        r, c = nearest[:, row[which], column[which]]
        off = miss[row[which], column[which]]
        points[which] = position[r, c]
        # the outline is seen edge-on by nature; elsewhere a point counts as much as it faces the camera
        quality = _turned_towards(pixels[:, 0])[which] if kind == OVAL else view.facing[r, c] ** 2
        weights[which] = quality * np.exp(-((off / MAX_MISS) ** 2)) * (off < MAX_MISS)
    return points, weights + 1e-6


def _turned_towards(x: Float[np.ndarray, " 468"]) -> Float[np.ndarray, " 468"]:
    """1 for landmarks of a side of the face that shows its full width, near 0 for a side turned away.

    On the far side the outline is hidden by the cheek, and its landmarks would be cast onto that.
    """
    nose, right, left = (x[index] for index in (NOSE_TIP, *OVAL_SIDES))
    share = np.where(x < nose, nose - right, left - nose) / (left - right)
    return np.clip((share - 0.35) / 0.15, 0.01, 1)


def _weighted_median(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Per coordinate, over the first axis."""
    weights = np.broadcast_to(weights[..., None], points.shape)
    order = points.argsort(axis=0)
    ordered = np.take_along_axis(points, order, axis=0)
    total = np.take_along_axis(weights, order, axis=0).cumsum(axis=0)
    middle = (total >= total[-1] / 2).argmax(axis=0)
    return np.take_along_axis(ordered, middle[None], axis=0)[0]
