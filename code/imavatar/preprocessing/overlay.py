"""Pictures to check a fit by eye: the recording beside the fitted mesh and landmarks drawn over it."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from imavatar.numerics.mesh import vertex_normals
from imavatar.numerics.rasterize import rasterize

DETECTED = np.array([255, 40, 40])
FITTED = np.array([40, 230, 40])
MESH = np.array([215.0, 195.0, 175.0])
MESH_OPACITY = 0.6
MESH_SIZE = 256
"""The mesh is rasterised at this size at most, and enlarged: its shading is smooth anyway."""


def overlay_frame(
    image: UInt8[np.ndarray, "h w 3"],
    camera_vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    intrinsics: tuple[float, float, float],
    detected: Float[np.ndarray, "l 2"],
    fitted: Float[np.ndarray, "l 2"],
    label: str,
) -> UInt8[np.ndarray, "h w2 3"]:
    """The image, and beside it the same with mesh, detections (red), fitted landmarks (green) and a label.

    Args:
        camera_vertices: posed vertices in the camera's frame, looking along -z with y up.
        intrinsics: focal length and principal point in continuous pixels of the image.
        detected, fitted: continuous pixels.
    """
    colour, opacity = _shaded_mesh(image.shape[:2], camera_vertices, faces, intrinsics)
    mixed = image * (1 - opacity) + colour * opacity
    drawn = mixed.astype(np.uint8)
    draw_points(drawn, detected, DETECTED)
    draw_points(drawn, fitted, FITTED)
    picture = np.concatenate([image, drawn], axis=1)
    scale = max(image.shape[0] / 1000, 0.35)
    for shift, tint in ((1, (0, 0, 0)), (0, (255, 255, 255))):
        place = (8 + shift, round(35 * scale) + 4 + shift)
        cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, tint, 1, cv2.LINE_AA)
    return picture


def draw_points(image: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "n 2"], colour: np.ndarray) -> None:
    """Small squares at continuous pixels, drawn into the image; points outside are left out."""
    height, width = image.shape[:2]
    reach = np.arange(2 if max(height, width) >= 384 else 1)
    du, dv = (grid.ravel() for grid in np.meshgrid(reach, reach))
    u = np.floor(points[:, :1]).astype(int) + du
    v = np.floor(points[:, 1:]).astype(int) + dv
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    image[v[inside], u[inside]] = colour


def _shaded_mesh(
    size: tuple[int, int],
    vertices: np.ndarray,
    faces: np.ndarray,
    intrinsics: tuple[float, float, float],
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 1"]]:
    """Colour and opacity of the mesh, lit from the camera."""
    height, width = size
    scale = min(1.0, MESH_SIZE / max(height, width))
    small = (max(round(height * scale), 1), max(round(width * scale), 1))
    focal, cx, cy = intrinsics
    depth = np.maximum(-vertices[:, 2], 1e-6)
    pixels = np.array([cx, cy]) + focal * vertices[:, :2] * [1, -1] / depth[:, None]
    # integer coordinates are the middles of the pixels of the small picture
    raster = rasterize(pixels * scale - 0.5, -vertices[:, 2], faces, small, cull=True)
    normal = raster.interpolate(vertex_normals(vertices, faces), faces)
    light = np.array([0.35, 0.4, 0.85])
    shade = (0.25 + 0.75 * np.clip(normal @ light, 0, 1)) * raster.covered
    layers = np.dstack([shade, raster.covered]).astype(np.float32)
    layers = cv2.resize(layers, (width, height), interpolation=cv2.INTER_LINEAR)
    covered = layers[..., 1:]
    # divided by the coverage, so that the background does not darken the mesh's outline
    return layers[..., :1] / np.maximum(covered, 1e-6) * MESH, covered * MESH_OPACITY
