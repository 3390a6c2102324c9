"""What a subject's image shows at each pixel: which surface the ray meets first, its label, normal and depth; and
where strands of hair are, by their centre lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from trimesh.util import append_faces

from imavatar.anatomy import ParsingLabel
from imavatar.numerics.rasterize import rasterize
from imavatar.synthetic.mesh_tools import unit
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.surfaces import Curves, Surface
from imavatar.synthetic.synthetic_subject import SyntheticSubject

SPACING = 0.7
"""Pixels between the points of a strand that are looked at, at most."""
IN_FRONT = 0.002
"""Model units, half a millimetre: strands that lie deeper under the surface are not seen."""


@dataclass(frozen=True)
class VisibleSurface:
    """Labels 0...18, unit normals (world space) and depth (model units) at pixel centres; 0, 0 and infinite if none."""

    labels: UInt8[np.ndarray, "h w"]
    normals: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]


def visible_surface(subject: SyntheticSubject, surfaces: list[Surface], camera: StudioCamera) -> VisibleSurface:
    """Of the surfaces alone: strands of hair are none."""
    vertices, faces = append_faces([surface.vertices for surface in surfaces], [surface.faces for surface in surfaces])
    vertex_normals = np.concatenate([surface.normals for surface in surfaces])
    surface_of = np.repeat(np.arange(len(surfaces)), [len(surface.faces) for surface in surfaces])
    pixels, depth = camera.project(vertices)
    raster = rasterize(pixels, depth, faces, (camera.size, camera.size))
    image = np.full(raster.face.shape, ParsingLabel.BACKGROUND, dtype=np.uint8)
    normals = np.zeros((*raster.face.shape, 3))
    seen = raster.covered
    face, weights = raster.face[seen], raster.barycentric[seen]
    normals[seen] = unit(np.einsum("nk,nkc->nc", weights, vertex_normals[faces[face]]))
    labels = np.zeros(len(face), dtype=np.uint8)
    for index, surface in enumerate(surfaces):
        here = surface_of[face] == index
        if surface.label is not None:
            labels[here] = surface.label
        else:
            first = np.argmax(surface_of == index)
            labels[here] = subject.skin_labels(surface.faces[face[here] - first], weights[here])
    image[seen] = labels
    return VisibleSurface(image, normals, raster.depth)


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
