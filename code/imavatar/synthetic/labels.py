"""Face-parsing labels of a subject's image: which surface each pixel's ray meets first, and where."""

import numpy as np
from jaxtyping import UInt8

from imavatar.numerics.rasterize import rasterize
from imavatar.synthetic.paint import Label
from imavatar.synthetic.renderer import StudioCamera
from imavatar.synthetic.subject import Subject, Surface


def label_image(subject: Subject, surfaces: list[Surface], camera: StudioCamera) -> UInt8[np.ndarray, "h w"]:
    """Labels 0...18 at the pixel centres."""
    vertices = np.concatenate([surface.vertices for surface in surfaces])
    start = np.cumsum([0] + [len(surface.vertices) for surface in surfaces])
    faces = np.concatenate([surface.faces + first for surface, first in zip(surfaces, start[:-1], strict=True)])
    surface_of = np.repeat(np.arange(len(surfaces)), [len(s.faces) for s in surfaces])
    pixels, depth = camera.project(vertices)
    raster = rasterize(pixels, depth, faces, (camera.size, camera.size))
    image = np.full(raster.face.shape, Label.BACKGROUND, dtype=np.uint8)
    seen = raster.covered
    found = surface_of[raster.face[seen]]
    labels = np.zeros(len(found), dtype=np.uint8)
    for index, surface in enumerate(surfaces):
        here = found == index
        if surface.label is not None:
            labels[here] = surface.label
            continue
        corners = faces[raster.face[seen][here]] - start[index]
        weights = raster.barycentric[seen][here]
        labels[here] = subject.skin_labels(corners, weights)
    image[seen] = labels
    return image
