"""What a subject's image shows at each pixel: which surface the ray meets first, its label, normal and depth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from imavatar.anatomy import ParsingLabel
from imavatar.numerics.rasterize import rasterize
from imavatar.synthetic.mesh_tools import unit
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.surfaces import Surface
from imavatar.synthetic.synthetic_subject import SyntheticSubject


@dataclass(frozen=True)
class VisibleSurface:
    """Labels 0...18, unit normals (world space) and depth (model units) at pixel centres; 0, 0 and infinite if none."""

    labels: UInt8[np.ndarray, "h w"]
    normals: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]


def visible_surface(subject: SyntheticSubject, surfaces: list[Surface], camera: StudioCamera) -> VisibleSurface:
    """Of the surfaces alone: strands of hair are none."""
    vertices = np.concatenate([surface.vertices for surface in surfaces])
    vertex_normals = np.concatenate([surface.normals for surface in surfaces])
    start = np.cumsum([0] + [len(surface.vertices) for surface in surfaces])
    faces = np.concatenate([surface.faces + first for surface, first in zip(surfaces, start[:-1], strict=True)])
    surface_of = np.repeat(np.arange(len(surfaces)), [len(s.faces) for s in surfaces])
    pixels, depth = camera.project(vertices)
    raster = rasterize(pixels, depth, faces, (camera.size, camera.size))
    image = np.full(raster.face.shape, ParsingLabel.BACKGROUND, dtype=np.uint8)
    normals = np.zeros((*raster.face.shape, 3))
    seen = raster.covered
    found, weights = surface_of[raster.face[seen]], raster.barycentric[seen]
    normals[seen] = unit(np.einsum("nk,nkc->nc", weights, vertex_normals[faces[raster.face[seen]]]))
    labels = np.zeros(len(found), dtype=np.uint8)
    for index, surface in enumerate(surfaces):
        here = found == index
        if surface.label is not None:
            labels[here] = surface.label
            continue
        corners = faces[raster.face[seen][here]] - start[index]
        labels[here] = subject.skin_labels(corners, weights[here])
    image[seen] = labels
    return VisibleSurface(image, normals, raster.depth)
