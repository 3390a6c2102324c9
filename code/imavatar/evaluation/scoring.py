"""A sequence rendered once, and the numbers of its frames under any protocols."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from imavatar.anatomy import MM_PER_METRE, MM_PER_UNIT, Joint, pose_slice
from imavatar.data.subject import FrameRecord
from imavatar.data.subject_table import Frame, SubjectTable
from imavatar.evaluation import metrics
from imavatar.evaluation.close_up import CloseUp
from imavatar.evaluation.metrics import MESH_EVERY, Detector, Distance, Image, Mask, on_white
from imavatar.evaluation.protocols import Protocol, Region, face_of
from imavatar.evaluation.surface_distance import Mesh, TrueMeshes, surface_distance
from imavatar.progress import track
from imavatar.rendering.camera import to_view_depth
from imavatar.rendering.character import Character
from imavatar.rendering.image import RenderedImage, SurfaceRenderer
from imavatar.rendering.image_export import colour_bytes
from imavatar.types import PosedHead

JAW = pose_slice(Joint.JAW).start
"""Of a pose: how far the jaw is open, radians."""
MESH_RESOLUTION = 128
"""Of the meshes that are compared with the true ones, in cells along their longest side."""

USUAL_STEPS = 3.0
"""Between frames that lie more than so many of a recording's usual steps apart no change is measured."""

Values = dict[str, float | None]


@dataclass(frozen=True)
class Networks:
    """Networks that some numbers need; without one its numbers are None."""

    lpips: Distance | None = None
    detect: Detector | None = None


NO_NETWORKS = Networks()


@dataclass(frozen=True)
class FrameScores:
    """One frame: where it stands, how strong its expression and how open its jaw (radians) is, its metrics by name.

    A metric is None where it is undefined; what the recording has no truth for is not there.
    """

    sub_dir: str
    frame: str
    strength: float
    jaw: float
    values: Values


def score(
    character: Character,
    dataset: SubjectTable,
    renderer: SurfaceRenderer,
    protocols: Sequence[Protocol],
    *,
    networks: Networks = NO_NETWORKS,
    pose: Callable[[Frame], PosedHead] | None = None,
    keep: Callable[[Frame, RenderedImage], None] | None = None,
) -> dict[str, list[FrameScores]]:
    """Render every frame once and score it under each protocol, by whose names the results are.

    Of a data set without images the landmark error alone is measured.

    Args:
        pose: what a frame is rendered with, as `fitting.fitted_poses`; else the frame's own parameters are.
        keep: is told every frame and its rendering.

    Raises:
        DataError: a protocol needs what the recording lacks, or a file of it is damaged.
    """
    pose = pose or (lambda frame: character.pose(frame.head))
    meshes_of = functools.cache(TrueMeshes.find)
    scores: dict[str, list[FrameScores]] = {protocol.name: [] for protocol in protocols}
    before: dict[str, _Comparison] = {}
    starts = _starts(dataset.records)
    sequences = "+".join(dict.fromkeys(record.sub_dir for record in dataset.records))
    for index in track(range(len(dataset)), f"frames of {sequences} scored"):
        frame = dataset.frame(index)
        if starts[index]:
            before.clear()
        with torch.no_grad():
            posed = pose(frame)
            rendered = renderer.render(frame.camera.to(character.device), posed, dataset.height, dataset.width)
            shared = _landmark_scores(frame, rendered, networks.detect) | _geometry_scores(frame, rendered)
            truth = meshes_of(dataset.records[index].folder) if frame.image is not None else None
            if truth is not None and index % MESH_EVERY == 0:
                mesh = renderer.mesh(posed, MESH_RESOLUTION)
                found = Mesh(mesh.deformed.cpu(), mesh.faces.cpu())
                shared["surface_distance"] = surface_distance(found, truth.of(frame), frame, _known(frame))
        strength, jaw = float(frame.head.expression.norm()), float(frame.head.pose[0, JAW])
        for protocol in protocols:
            values = dict(shared)
            if frame.image is not None:
                pair = _Comparison.of(frame, rendered, protocol.pixels(frame))
                scored = close_up_scores if protocol.close_up else colour_scores
                values |= scored(pair.image, pair.truth, pair.region, networks.lpips)
                values |= pair.change_since(before.get(protocol.name))
                before[protocol.name] = pair
            scores[protocol.name].append(FrameScores(frame.sub_dir, frame.name, strength, jaw, values))
        if keep is not None:
            keep(frame, rendered)
    return scores


@dataclass(frozen=True)
class _Comparison:
    """Colours of a rendering and of its picture in [0, 1], and the pixels that count."""

    image: Image
    truth: Image
    region: Region

    @classmethod
    def of(cls, frame: Frame, rendered: RenderedImage, region: Region) -> "_Comparison":
        image, truth = ((part.cpu().clamp(-1, 1) + 1) / 2 for part in (rendered.rgb, frame.image))
        return cls(image, truth, region)

    def change_since(self, before: "_Comparison | None") -> Values:
        """The temporal error, where there is a frame before this one."""
        if before is None:
            return {}
        images, truths = (before.image, self.image), (before.truth, self.truth)
        region = None if self.region is None else before.region | self.region
        return {"change_error": metrics.temporal_error(images, truths, region)}


def _starts(records: Sequence[FrameRecord]) -> list[bool]:
    """Which frames follow none: the first ones of their recordings, and those after a gap in their video."""
    pairs = list(itertools.pairwise(records))
    steps = [
        second.video_frame - first.video_frame
        if first.sub_dir == second.sub_dir and None not in (first.video_frame, second.video_frame)
        else None
        for first, second in pairs
    ]
    known = [step for step in steps if step is not None and step > 0]
    most = USUAL_STEPS * float(np.median(known)) if known else 0.0
    return [True] + [
        first.sub_dir != second.sub_dir or (step is not None and not 0 < step <= most)
        for (first, second), step in zip(pairs, steps, strict=True)
    ]


def colour_scores(image: Image, truth: Image, region: Region, lpips: Distance | None) -> Values:
    """The metrics of two images with colours in [0, 1] over the pixels that count."""
    if region is not None:
        image, truth = on_white(image, region), on_white(truth, region)
    some = region is None or bool(region.any())
    values: Values = {
        "mae": metrics.mean_absolute_error(image, truth, region),
        "psnr": metrics.psnr(image, truth, region),
        "ssim": metrics.ssim(image, truth, region),
        "lpips": float(lpips(2 * image - 1, 2 * truth - 1)) if lpips is not None and some else None,
    }
    if metrics.flip_available():
        difference = metrics.flip_map(image, truth) if some else None
        values["flip"] = None if difference is None else float(difference[... if region is None else region].mean())
    return values


def close_up_scores(image: Image, truth: Image, region: Mask, lpips: Distance | None) -> Values:
    """The same of a small region: everything else is the truth in both images, and LPIPS sees the region enlarged."""
    if not region.any():
        return colour_scores(image, truth, region, None)
    close = CloseUp.of(image, truth, region)
    values: Values = {
        "mae": metrics.mean_absolute_error(close.image, close.truth, close.region),
        "psnr": metrics.psnr(close.image, close.truth, close.region),
        "ssim": metrics.ssim(close.image, close.truth, close.region),
        "lpips": float(lpips(*(2 * part - 1 for part in close.enlarged()))) if lpips is not None else None,
    }
    if metrics.flip_available():
        values["flip"] = float(metrics.flip_map(close.image, close.truth)[close.region].mean())
    return values


def _known(frame: Frame) -> Bool[Tensor, "h w"]:
    """Pixels of the face at which the true surface is the one that is seen."""
    face = face_of(frame)
    return face if frame.exact is None else face & frame.exact


def _geometry_scores(frame: Frame, rendered: RenderedImage) -> Values:
    if frame.foreground is None:
        return {}
    values: Values = {"mask_iou": metrics.mask_iou(rendered.alpha.cpu() > 0.5, frame.foreground)}
    if frame.normals is not None:
        values["normal_error"] = metrics.normal_error(rendered.normal.cpu(), frame.normals, _known(frame))
    if frame.depth is not None:
        depth = to_view_depth(rendered.depth.cpu(), frame.camera) * MM_PER_UNIT
        values["depth_error"] = metrics.depth_error(depth, MM_PER_METRE * frame.depth, _known(frame))
    return values


def _landmark_scores(frame: Frame, rendered: RenderedImage, detect: Detector | None) -> Values:
    """Of the rendering's detected landmarks: how far they are off the projected ones, and off the picture's."""
    if detect is None:
        return {}
    drawn = detect(colour_bytes(rendered.rgb))
    values = {"keypoint_error": metrics.keypoint_error(drawn, frame.keypoints)}
    if frame.image is not None:
        pictured = detect(colour_bytes(frame.image))
        error = None if pictured is None else metrics.keypoint_error(drawn, torch.as_tensor(pictured))
        values["expression_error"] = error
    return values
