"""The tracked frames of a subject as tables: heads, cameras, landmarks. Knows the JSON files, not the images."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike
from torch import Tensor

from imavatar.data.subject import JSON_NAME, FrameRecord, load_recording
from imavatar.errors import DataError
from imavatar.types import Camera, HeadParameters


@dataclass(frozen=True)
class Frame:
    """One frame of a recording: colours in [-1, 1] on white, `bbox` and `keypoints` in pixels.

    Image and foreground are None in a `SubjectTable`, which has no images; semantics also where they are not used.
    Normals (unit, world space, 0 where there is no surface), depth (metres along the viewing direction, 0 likewise) and
    where both are exact are None where a recording does not come with them. The camera and the head have one row.
    """

    name: str
    sub_dir: str
    image: Float[Tensor, "h w 3"] | None
    foreground: Bool[Tensor, "h w"] | None
    semantics: Float[Tensor, "h w 9"] | None
    camera: Camera
    head: HeadParameters
    bbox: Float[Tensor, " 4"]
    keypoints: Float[Tensor, "k 2"]
    normals: Float[Tensor, "h w 3"] | None = None
    depth: Float[Tensor, "h w"] | None = None
    exact: Bool[Tensor, "h w"] | None = None


class SubjectTable:
    """Heads and cameras of the frames of one or several recordings of a subject, for images of one size.

    With several recordings, the shape and the intrinsics of the *last* one hold for all (docs/data_format.md, section
    7). Intrinsics are in units of the image size, so another `img_res` changes nothing else. Images are neither needed
    nor read. `split` is how the subject's frames were divided, where all the files say the same of it, else None.

    Args:
        sub_dirs: recordings, `<data_folder>/<subject_name>/<subject_name>/<sub_dir>`.
        img_res: height and width of the images, pixels.
        subsample: n takes every n-th frame; two numbers are a range; more are indices.
        json_name: of the file with the tracked parameters in each recording.
        n_expression: how many of a frame's expression coefficients are used.

    Raises:
        DataError: a file is missing or has wrong values, or a frame is asked for that does not exist.
    """

    only_json: ClassVar[bool] = True
    """Whether frames come without images."""

    def __init__(
        self,
        data_folder: Path | str,
        subject_name: str,
        sub_dirs: Sequence[str],
        img_res: Sequence[int],
        *,
        subsample: int | Sequence[int] = 1,
        json_name: str = JSON_NAME,
        n_expression: int = 50,
    ):
        if not sub_dirs:
            raise DataError(f"{data_folder}: no sub_dir of subject {subject_name} is named")
        self.height, self.width = img_res
        folder = Path(data_folder) / subject_name / subject_name
        recordings = [load_recording(folder / sub_dir, json_name) for sub_dir in sub_dirs]
        everything = [frame for recording in recordings for frame in recording.frames]
        self.records = _subsample(everything, subsample, folder)
        self.shape_params = _tensor(recordings[-1].shape_params)
        splits = {recording.split for recording in recordings}
        self.split = splits.pop() if len(splits) == 1 else None
        self._camera = _cameras(self.records, recordings[-1].intrinsics, self.height, self.width)
        self._head = _heads(self.records, n_expression, folder)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def names(self) -> list[str]:
        """`<sub_dir>/<name>` of every frame."""
        return [f"{record.sub_dir}/{record.name}" for record in self.records]

    def camera(self, indices: Sequence[int] | None = None) -> Camera:
        """Cameras of frames, a row each; of all frames without indices."""
        return self._camera if indices is None else self._camera[_rows(indices)]

    def head(self, indices: Sequence[int] | None = None) -> HeadParameters:
        """Expressions and poses of frames, a row each; of all frames without indices."""
        return self._head if indices is None else self._head[_rows(indices)]

    def with_parameters(self, head: HeadParameters, camera: Camera) -> "SubjectTable":
        """The same frames with other expressions, poses and cameras, a row each."""
        other = copy.copy(self)
        other._head, other._camera = head, camera
        return other

    def frame(self, index: int) -> Frame:
        """Everything known of one frame."""
        index = range(len(self))[index]
        record = self.records[index]
        return Frame(
            name=record.name,
            sub_dir=record.sub_dir,
            image=None,
            foreground=None,
            semantics=None,
            camera=self.camera([index]),
            head=self.head([index]),
            bbox=self._bbox(index),
            keypoints=self._to_pixels(record.keypoints),
        )

    def _bbox(self, index: int) -> Float[Tensor, " 4"]:
        """The landmarks' box in pixels."""
        return self._to_pixels(self.records[index].bbox.reshape(2, 2)).flatten()

    def _to_pixels(self, points: Float[np.ndarray, "k 2"]) -> Float[Tensor, "k 2"]:
        """Points of the files, in [-1, 1], as pixels."""
        return (_tensor(points) + 1) / 2 * torch.tensor([self.width, self.height])


def _subsample(frames: list[FrameRecord], subsample: int | Sequence[int], folder: Path) -> list[FrameRecord]:
    """Every n-th frame, a range of two numbers, or the named indices, over all recordings."""
    if isinstance(subsample, int):
        indices = range(0, len(frames), subsample)
    else:
        indices = range(*subsample) if len(subsample) == 2 else subsample
    outside = [index for index in indices if not 0 <= index < len(frames)]
    if outside or not indices:
        found = f"frame {outside[0]}" if outside else "no frame"
        raise DataError(
            f"{folder}: subsample = {subsample} asks for {found}, "
            f"but the recordings have the frames 0 to {len(frames) - 1}"
        )
    return [frames[index] for index in indices]


def _cameras(records: list[FrameRecord], intrinsics: Float[np.ndarray, " 4"], height: int, width: int) -> Camera:
    """Cameras with intrinsics in pixels; `world_mat` is inverted as a general matrix."""
    world_mat = np.tile(np.eye(4), (len(records), 1, 1))
    world_mat[:, :3] = [record.world_mat for record in records]
    in_pixels = intrinsics * [width, height, width, height]
    return Camera(
        intrinsics=_tensor(in_pixels).repeat(len(records), 1), world_from_camera=_tensor(np.linalg.inv(world_mat))
    )


def _heads(records: list[FrameRecord], n_expression: int, folder: Path) -> HeadParameters:
    for record in records:
        if len(record.expression) < n_expression:
            raise DataError(
                f"{folder / record.sub_dir}: frame {record.name} has {len(record.expression)} expression values, "
                f"expected at least the {n_expression} of num_exp"
            )
    return HeadParameters(
        expression=_tensor(np.stack([record.expression[:n_expression] for record in records])),
        pose=_tensor(np.stack([record.pose for record in records])),
    )


def _rows(indices: Sequence[int]) -> Tensor:
    return torch.as_tensor(indices, dtype=torch.long)


def _tensor(values: ArrayLike) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
