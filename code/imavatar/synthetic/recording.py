"""Renders a sequence into a recording's folder, in several processes; what an earlier run has left is kept."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from imavatar.data.ground_truth import read_ground_truth, write_ground_truth
from imavatar.data.images import read_colour, read_grey
from imavatar.data.subject import JSON_NAME
from imavatar.data.subject_writer import SubjectWriter, TrackedFrame
from imavatar.errors import DataError
from imavatar.synthetic.renderer import SCALAR
from imavatar.synthetic.studio import FrameSpec, RenderedFrame, Studio
from imavatar.synthetic.worker_pool import work_in_processes


@dataclass(frozen=True)
class SequenceSpec:
    """One sequence: where it goes, its frames, and what its JSON file says of their expressions and poses.

    The frames' parameters may be of another space than the file's: of the head that is rendered.
    """

    folder: Path
    frames: tuple[FrameSpec, ...]
    expression: Float[np.ndarray, "n e"]
    pose: Float[np.ndarray, "n 15"]


def is_finished(folder: Path) -> bool:
    """Whether all of a sequence is in its folder: the JSON file is written last."""
    return (folder / JSON_NAME).is_file()


def record(
    spec: SequenceSpec,
    studio: Studio,
    shape_params: Float[np.ndarray, " 100"],
    make_studio: Callable[[], Studio],
    workers: int,
) -> Iterator[int]:
    """Render and write a sequence; yields the number of finished frames after each.

    Args:
        make_studio: makes `studio` again in another process; must be picklable.
        workers: processes that render; 0 renders in this one.
    """
    size = studio.camera.size
    missing = [frame for frame in spec.frames if _read(spec.folder, frame, size) is None]
    if workers > 0:
        rendered = work_in_processes(functools.partial(_renderer, make_studio), missing, workers)
    else:
        rendered = (studio.render(frame) for frame in missing)
    # Its processes end with it, also where a frame cannot be written.
    with contextlib.closing(rendered):
        yield from _write(spec, studio, shape_params, rendered, {frame.index for frame in missing})


def _write(
    spec: SequenceSpec,
    studio: Studio,
    shape_params: Float[np.ndarray, " 100"],
    rendered: Iterator[RenderedFrame],
    made: set[int],
) -> Iterator[int]:
    """Write a sequence; those of its frames that are `made` come from `rendered`, the others are there."""
    writer, size = SubjectWriter(spec.folder), studio.camera.size
    for k, frame in enumerate(spec.frames):
        content = next(rendered) if frame.index in made else _read(spec.folder, frame, size)
        landmarks, world_mat = studio.landmarks(frame), studio.camera_for(frame).world_mat
        tracked = TrackedFrame(world_mat, spec.expression[k], spec.pose[k], landmarks.keypoints, landmarks.bbox)
        name = writer.add_frame(content.image, content.mask, content.labels, tracked)
        write_ground_truth(spec.folder, name, content.truth)
        yield k + 1
    writer.finish(studio.camera.intrinsics, shape_params)


def _renderer(make_studio: Callable[[], Studio], fallback: bool) -> Callable[[FrameSpec], RenderedFrame]:
    """What renders frames in another process; as fallback by the variant that needs no compiler."""
    torch.set_num_threads(1)
    return functools.partial(make_studio().render, variant=SCALAR if fallback else None)


def _read(folder: Path, frame: FrameSpec, size: int) -> RenderedFrame | None:
    """A frame that an interrupted run has left, if it is complete."""
    file = f"{frame.index + 1}.png"
    try:
        image = read_colour(folder / "image" / file, "image")
        mask = read_grey(folder / "mask" / file, "mask")
        labels = read_grey(folder / "semantic" / file, "semantic map")
        truth = read_ground_truth(folder, str(frame.index + 1))
    except DataError:
        return None
    complete = image.shape[:2] == mask.shape == labels.shape == truth.depth.shape == (size, size)
    return RenderedFrame(image, mask, labels, truth) if complete else None
