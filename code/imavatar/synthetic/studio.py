"""A subject before its camera: pictures of a frame, and what is known about it, pixel by pixel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from trimesh.util import append_faces

from imavatar.anatomy import HEAD_SCALE, ParsingLabel
from imavatar.data.ground_truth import GroundTruth
from imavatar.head.landmarks import LandmarkEmbedding, flame_keypoints
from imavatar.numerics.rasterize import rasterize
from imavatar.synthetic.mesh_tools import unit
from imavatar.synthetic.renderer import render
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.surfaces import Curves, Surface
from imavatar.synthetic.synthetic_subject import SyntheticSubject
from imavatar.types import HeadParameters

MASKED = 127
"""Coverage above which a pixel that no surface is seen in shows strands."""
INEXACT = (ParsingLabel.BACKGROUND, ParsingLabel.HAIR, ParsingLabel.GLASSES)
"""Labels of pixels whose surface is none, or stands in for finer things."""
SPACING = 0.7
"""Pixels between the points of a strand that are looked at, at most."""
IN_FRONT = 0.002
"""Model units, half a millimetre: strands that lie deeper under the surface are not seen."""


@dataclass(frozen=True)
class FrameSpec:
    """A frame to be rendered: its place in the sequence, its parameters (one row), and a seed for its noise.

    `view` turns the camera (yaw and pitch, radians).
    """

    index: int
    parameters: HeadParameters
    seed: int
    view: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class RenderedFrame:
    """Image over white, coverage 0...255, face-parsing labels, and the ground truth of one frame."""

    image: UInt8[np.ndarray, "h w 3"]
    mask: UInt8[np.ndarray, "h w"]
    labels: UInt8[np.ndarray, "h w"]
    truth: GroundTruth


@dataclass(frozen=True)
class Landmarks:
    """Of one frame: `keypoints` and `bbox` of the JSON file, in [-1, 1]; the face's landmarks in pixels (integers at
    the pixels' centres) and in model units.
    """

    keypoints: Float[np.ndarray, "70 2"]
    bbox: Float[np.ndarray, " 4"]
    pixels: Float[np.ndarray, "l 2"]
    points: Float[np.ndarray, "l 3"]


@dataclass(frozen=True)
class VisibleSurface:
    """Labels 0...18, unit normals (world space) and depth (model units) at pixel centres; 0, 0 and infinite if none."""

    labels: UInt8[np.ndarray, "h w"]
    normals: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Studio:
    """What all frames of a subject have in common; `samples` are light paths a pixel."""

    subject: SyntheticSubject
    embedding: LandmarkEmbedding
    camera: StudioCamera
    samples: int

    def camera_for(self, frame: FrameSpec) -> StudioCamera:
        """The camera, turned as the frame asks."""
        return replace(self.camera, yaw=frame.view[0], pitch=frame.view[1])

    def render(self, frame: FrameSpec, variant: str | None = None) -> RenderedFrame:
        """One frame; `variant` as in `renderer.render`."""
        subject, camera = self.subject, self.camera_for(frame)
        surfaces, curves = subject.surfaces(frame.parameters), subject.curves(frame.parameters)
        image, mask = render(
            surfaces,
            camera,
            samples=self.samples,
            seed=frame.seed,
            curves=curves,
            light=subject.appearance.light,
            variant=variant,
        )
        seen = visible_surface(subject, surfaces, camera)
        hair = [strands for strands in curves if strands.label is ParsingLabel.HAIR]
        labels = _with_strands(seen, mask, strand_cover(hair, camera, seen.depth))
        exact = ~np.isin(labels, INEXACT) & ~strand_cover(curves, camera, seen.depth)
        depth = np.where(np.isfinite(seen.depth), seen.depth / HEAD_SCALE, 0)
        return RenderedFrame(image, mask, labels, GroundTruth(seen.normals, depth, exact))

    @torch.no_grad()
    def landmarks(self, frame: FrameSpec) -> Landmarks:
        """Where the landmarks are, seen or not."""
        vertices, camera = self.subject.flame.vertices(frame.parameters), self.camera_for(frame)
        points = self.embedding.points(vertices, self.subject.flame.faces_tensor)
        keypoints = flame_keypoints(vertices, self.subject.head, self.embedding)[0]
        face, ends = (camera.project(values.double().numpy())[0] for values in (points[0], keypoints))
        in_file = [2 * pixels / camera.size - 1 for pixels in (face, ends)]
        bbox = np.concatenate([in_file[0].min(axis=0), in_file[0].max(axis=0)])
        return Landmarks(in_file[1], bbox, face, points[0].double().numpy())


def _with_strands(
    seen: VisibleSurface, mask: UInt8[np.ndarray, "h w"], hair: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w"]:
    """The surface's labels, and hair where its strands are before it, or cover what has no surface."""
    beside = seen.labels == ParsingLabel.BACKGROUND
    return np.where((beside | hair) & (mask > MASKED), np.uint8(ParsingLabel.HAIR), seen.labels).astype(np.uint8)


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
