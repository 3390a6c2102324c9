"""Which vertices of a head's mesh are the skin of its face."""

import cv2
import numpy as np
from jaxtyping import Float, Int

from imavatar.head.assets import HeadAssets
from imavatar.head.landmarks import LandmarkEmbedding
from imavatar.head.mesh_points import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from imavatar.numerics.mesh import vertex_normals


def face_skin(assets: HeadAssets, embedding: LandmarkEmbedding) -> Int[np.ndarray, " k"]:
    """Vertices of the skin inside the oval of landmarks that face forward; not those inside the mouth."""
    template = assets.v_template.astype(np.float64)
    skin = np.zeros(len(template), bool)
    skin[assets.part_faces("skin") if assets.part_names else assets.faces] = True
    skin[assets.mouth_vertices()] = False
    inside = _distance_inside(template[:, :2], _loop(assets, embedding, FACE_OVAL)) > 0
    return np.flatnonzero(skin & inside & (vertex_normals(template, assets.faces)[:, 2] > 0))


def away_from_eyes(
    assets: HeadAssets, embedding: LandmarkEmbedding, vertices: Int[np.ndarray, " k"], margin: float
) -> Int[np.ndarray, " m"]:
    """Those that are farther than `margin` (metres) from the opening of both eyes, seen from the front."""
    points = assets.v_template[vertices, :2].astype(np.float64)
    near = [_distance_inside(points, _loop(assets, embedding, eye)) > -margin for eye in (RIGHT_EYE, LEFT_EYE)]
    return vertices[~(near[0] | near[1])]


def _loop(assets: HeadAssets, embedding: LandmarkEmbedding, landmarks: tuple[int, ...]) -> Float[np.ndarray, "l 2"]:
    """A closed loop of landmarks on the resting head, seen from the front, metres."""
    rows = list(landmarks)
    corners = assets.v_template[assets.faces[embedding.faces[rows]]]
    return np.einsum("lk,lkx->lx", embedding.barycentric[rows], corners)[:, :2]


def _distance_inside(points: Float[np.ndarray, "n 2"], loop: Float[np.ndarray, "l 2"]) -> Float[np.ndarray, " n"]:
    """Distance from a closed loop, positive inside of it."""
    contour = np.ascontiguousarray(loop, np.float32)
    return np.array([cv2.pointPolygonTest(contour, point, True) for point in points.tolist()])
