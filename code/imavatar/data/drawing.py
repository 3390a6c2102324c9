"""Meshes drawn over images, so that people can see how well a head lies on a picture."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from imavatar.numerics.mesh import vertex_normals
from imavatar.numerics.rasterize import rasterize

COLOUR = np.array([215.0, 195.0, 175.0])
OPACITY = 0.6
LIGHT = np.array([0.35, 0.4, 0.85])
"""Where light comes from, in the camera's axes: from behind it, a little from above and the right."""
AMBIENT = 0.25
"""Brightness where the light does not reach."""


def draw_mesh(
    image: UInt8[np.ndarray, "h w 3"],
    vertices: Float[np.ndarray, "v 3"],
    pixels: Float[np.ndarray, "v 2"],
    faces: Int[np.ndarray, "f 3"],
    *,
    largest: int | None = None,
    cull: bool = False,
) -> UInt8[np.ndarray, "h w 3"]:
    """The image with a half transparent mesh over it, lit from the camera.

    Args:
        vertices: in the camera's axes (x right, y up, looking along -z), from its centre, in any unit.
        pixels: where they are in the image; integer coordinates are the middles of its pixels.
        largest: rasterise at no more than this size, pixels, and enlarge: quicker, and shading is smooth anyway.
        cull: leave out faces that are seen from behind. Under a mirroring camera these are the ones in front.
    """
    height, width = image.shape[:2]
    scale = 1.0 if largest is None else min(1.0, largest / max(height, width))
    size = (max(round(height * scale), 1), max(round(width * scale), 1))
    raster = rasterize((pixels + 0.5) * scale - 0.5, -vertices[:, 2], faces, size, cull=cull)
    normals = raster.interpolate(vertex_normals(vertices, faces), faces)
    shade = (AMBIENT + (1 - AMBIENT) * np.clip(normals @ LIGHT, 0, 1)) * raster.covered
    layers = np.dstack([shade, raster.covered]).astype(np.float32)
    shade, covered = np.split(cv2.resize(layers, (width, height), interpolation=cv2.INTER_LINEAR), 2, axis=-1)
    # Divided by the coverage, so that the background does not darken the mesh's outline.
    colour, opacity = shade / np.maximum(covered, 1e-6) * COLOUR, OPACITY * covered
    return (image * (1 - opacity) + colour * opacity).astype(np.uint8)
