"""A subject before its camera: pictures of a frame, and what is known about it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from imavatar.anatomy import HEAD_SCALE, ParsingLabel
from imavatar.data.ground_truth import GroundTruth
from imavatar.head.landmarks import LandmarkEmbedding, flame_keypoints
from imavatar.synthetic.renderer import render
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.synthetic_subject import SyntheticSubject
from imavatar.synthetic.visible_surface import VisibleSurface, strand_cover, visible_surface
from imavatar.types import HeadParameters

MASKED = 127
"""Coverage above which a pixel that no surface is seen in shows strands."""
INEXACT = (ParsingLabel.BACKGROUND, ParsingLabel.HAIR, ParsingLabel.GLASSES)
"""Labels of pixels whose surface is none, or stands in for finer things."""


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
class Studio:
    """What all frames of a subject have in common.

    Args:
        embedding: where the landmarks lie on the head's mesh.
        samples: light paths a pixel.
    """

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
