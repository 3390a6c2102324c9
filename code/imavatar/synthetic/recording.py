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
from imavatar.synthetic.processes import work_in_processes
from imavatar.synthetic.renderer import SCALAR
from imavatar.synthetic.studio import Photograph, Shot, Studio


@dataclass(frozen=True)
class Take:
    """One sequence: where it goes, its frames, and what its JSON file says of their expressions and poses.

    The shots' parameters may be of another space than the file's: of the head that was rendered.
    """

    folder: Path
    shots: tuple[Shot, ...]
    expression: Float[np.ndarray, "n e"]
    pose: Float[np.ndarray, "n 15"]

    @property
    def finished(self) -> bool:
        """Whether all of it is there: the JSON file is written last."""
        return (self.folder / JSON_NAME).is_file()


def record(
    take: Take,
    studio: Studio,
    shape_params: Float[np.ndarray, "100"],
    make_studio: Callable[[], Studio],
    workers: int,
) -> Iterator[int]:
    """Write a take; yields the number of finished frames after each.

    Args:
        make_studio: makes `studio` again in another process; must be picklable.
        workers: processes that render; 0 renders in this one.
    """
    size = studio.camera.size
    missing = [shot for shot in take.shots if _read(take.folder, shot, size) is None]
    if workers > 0:
        pictures = work_in_processes(functools.partial(_photographer, make_studio), missing, workers)
    else:
        pictures = (studio.photograph(shot) for shot in missing)
    # Its processes end with it, also where a picture cannot be written.
    with contextlib.closing(pictures):
        yield from _write(take, studio, shape_params, pictures, {shot.index for shot in missing})


def _write(
    take: Take,
    studio: Studio,
    shape_params: Float[np.ndarray, "100"],
    pictures: Iterator[Photograph],
    made: set[int],
) -> Iterator[int]:
    """Write a take; those of its frames that are `made` come from `pictures`, the others are there."""
    writer, size = SubjectWriter(take.folder), studio.camera.size
    for k, shot in enumerate(take.shots):
        photograph = next(pictures) if shot.index in made else _read(take.folder, shot, size)
        landmarks = studio.landmarks(shot)
        name = writer.add_frame(
            photograph.image,
            photograph.mask,
            photograph.labels,
            TrackedFrame(
                world_mat=studio.camera_of(shot).world_mat,
                expression=take.expression[k],
                pose=take.pose[k],
                keypoints=landmarks.keypoints,
                bbox=landmarks.bbox,
            ),
        )
        write_ground_truth(take.folder, name, photograph.truth)
        yield k + 1
    writer.finish(studio.camera.intrinsics, shape_params)


def _photographer(make_studio: Callable[[], Studio], careful: bool) -> Callable[[Shot], Photograph]:
    """What takes frames in another process; in the careful way with the variant that needs no compiler."""
    torch.set_num_threads(1)
    return functools.partial(make_studio().photograph, variant=SCALAR if careful else None)


def _read(folder: Path, shot: Shot, size: int) -> Photograph | None:
    """A frame that an interrupted run has left, if it is complete."""
    name = str(shot.index + 1)
    try:
        image = read_colour(folder / "image" / f"{name}.png", "image")
        mask = read_grey(folder / "mask" / f"{name}.png", "mask")
        labels = read_grey(folder / "semantic" / f"{name}.png", "semantic map")
        truth = read_ground_truth(folder, name)
    except DataError:
        return None
    complete = image.shape[:2] == mask.shape == labels.shape == truth.depth.shape == (size, size)
    return Photograph(image, mask, labels, truth) if complete else None
