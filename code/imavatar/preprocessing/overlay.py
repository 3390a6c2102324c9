"""Pictures to check a fit by eye: the recording beside the fitted mesh and landmarks drawn over it."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from imavatar.data.drawing import draw_mesh

DETECTED = np.array([255, 40, 40])
FITTED = np.array([40, 230, 40])
MESH_SIZE = 256
"""Pixels at most at which the mesh is rasterised."""


def overlay_frame(
    image: UInt8[np.ndarray, "h w 3"],
    camera_vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    intrinsics: tuple[float, float, float],
    detected: Float[np.ndarray, "d 2"],
    fitted: Float[np.ndarray, "l 2"],
    label: str,
) -> UInt8[np.ndarray, "h w2 3"]:
    """The image, and beside it the same with mesh, detections (red), fitted landmarks (green) and a label.

    Args:
        camera_vertices: posed vertices in the camera's frame, looking along -z with y up.
        intrinsics: focal length and principal point in continuous pixels of the image.
        detected, fitted: continuous pixels.
    """
    focal, *centre = intrinsics
    depth = np.maximum(-camera_vertices[:, 2:], 1e-6)
    pixels = np.array(centre) + focal * camera_vertices[:, :2] * [1, -1] / depth - 0.5
    drawn = draw_mesh(image, camera_vertices, pixels, faces, largest=MESH_SIZE, cull=True)
    draw_points(drawn, detected, DETECTED)
    draw_points(drawn, fitted, FITTED)
    picture = np.concatenate([image, drawn], axis=1)
    scale = max(image.shape[0] / 1000, 0.35)
    for shift, tint in ((1, (0, 0, 0)), (0, (255, 255, 255))):
        place = (8 + shift, round(35 * scale) + 4 + shift)
        cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, tint, 1, cv2.LINE_AA)
    return picture


def draw_points(
    image: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "n 2"], colour: Int[np.ndarray, "3"]
) -> None:
    """Small squares at continuous pixels, drawn into the image; points outside are left out."""
    height, width = image.shape[:2]
    reach = np.arange(2 if max(height, width) >= 384 else 1)
    du, dv = (grid.ravel() for grid in np.meshgrid(reach, reach))
    u = np.floor(points[:, :1]).astype(int) + du
    v = np.floor(points[:, 1:]).astype(int) + dv
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    image[v[inside], u[inside]] = colour
