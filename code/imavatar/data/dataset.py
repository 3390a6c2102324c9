"""Frames of a subject as records and training batches. Knows files, not networks."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.data.ground_truth import DEPTH, EXACT, read_depth
from imavatar.data.images import (
    FOREGROUND_THRESHOLD,
    check_png_size,
    foreground_of,
    on_white,
    read_colour,
    read_grey,
    resize_colour,
    to_signed_range,
)
from imavatar.data.normals import NORMALS, decode_normals, read_normals_file
from imavatar.data.sampling import sample_pixels
from imavatar.data.semantics import one_hot, soft_channels
from imavatar.data.subject import FrameRecord, Inside, load_recording
from imavatar.errors import DataError
from imavatar.names import shown
from imavatar.types import Batch, Camera, HeadParameters


@dataclass(frozen=True)
class Frame:
    """One frame of a recording: colours in [-1, 1] on white, `bbox` and `keypoints` in pixels.

    Image and foreground are None where only the JSON was asked for; semantics also where they are not used. Normals
    (unit, world space, 0 where there is no surface), depth (metres along the viewing direction, 0 likewise) and where
    both are exact are None where a recording does not come with them. The camera and the head have one row.
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


@dataclass(frozen=True)
class _Pixels:
    """What is kept of a frame's files after the first read: bytes. Labels stay at their file's size."""

    image: Tensor
    foreground: Tensor
    labels: np.ndarray | None


class FaceDataset:
    """The frames of one or several recordings of a subject, all at one image size.

    With several recordings, the shape and the intrinsics of the *last* one hold for all (docs/data_format.md, section
    7). Intrinsics are in units of the image size, so another `img_res` changes nothing else. Everything that can be
    checked without decoding an image is checked here.

    Args:
        img_res: height and width of the images, pixels.
        subsample: n takes every n-th frame; two numbers are a range; more are indices.
        use_semantics: whether batches and frames carry semantics.
        n_expression: how many of a frame's expression coefficients are used.
        only_json: images are neither needed nor read.
    """

    def __init__(
        self,
        data_folder: Path | str,
        subject_name: str,
        sub_dirs: Sequence[str],
        img_res: Sequence[int],
        *,
        subsample: int | Sequence[int] = 1,
        json_name: str = "flame_params.json",
        use_semantics: bool = False,
        n_expression: int = 50,
        only_json: bool = False,
    ):
        if not sub_dirs:
            raise DataError(f"{data_folder}: no sub_dir of subject {subject_name} is named")
        self.height, self.width = img_res
        self.use_semantics = use_semantics
        self.only_json = only_json
        folder = Path(data_folder) / subject_name / subject_name
        recordings = [load_recording(folder / sub_dir, json_name) for sub_dir in sub_dirs]
        everything = [frame for recording in recordings for frame in recording.frames]
        self.records = _subsample(everything, subsample, folder)
        self._inside = Inside()
        if not only_json:
            _require_files(self.records, use_semantics, self._inside)
        self.shape_params = _tensor(recordings[-1].shape_params)
        self._camera = _cameras(self.records, recordings[-1].intrinsics, self.height, self.width)
        self._head = _heads(self.records, n_expression, folder)
        self._pixels: dict[int, _Pixels] = {}

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

    def with_parameters(self, head: HeadParameters, camera: Camera) -> "FaceDataset":
        """The same frames with other expressions, poses and cameras, a row each."""
        other = copy.copy(self)
        other._head, other._camera = head, camera
        return other

    def frame(self, index: int) -> Frame:
        """Everything known of one frame."""
        index = range(len(self))[index]
        record = self.records[index]
        pixels, semantics = None if self.only_json else self._read(index), None
        if pixels is not None and pixels.labels is not None:
            semantics = torch.from_numpy(soft_channels(pixels.labels, self.height, self.width))
        return Frame(
            name=record.name,
            sub_dir=record.sub_dir,
            image=None if pixels is None else to_signed_range(pixels.image),
            foreground=None if pixels is None else pixels.foreground,
            semantics=semantics,
            camera=self.camera([index]),
            head=self.head([index]),
            bbox=self._to_pixels(record.bbox.reshape(2, 2)).flatten(),
            keypoints=self._to_pixels(record.keypoints),
            **({} if pixels is None else self._truth(record)),
        )

    def batch(self, indices: Sequence[int], n_pixels: int, generator: torch.Generator) -> Batch:
        """`n_pixels` pixels of each frame with their targets (fewer where a face's box is small)."""
        if self.only_json:
            raise ValueError("a data set without images has no batches")
        parts = [self._targets(index, n_pixels, generator) for index in indices]
        pixels, rgb, foreground, semantics = zip(*parts, strict=True)
        sizes = torch.tensor([len(part) for part in pixels])
        return Batch(
            frame=_rows(indices),
            camera=self.camera(indices),
            head=self.head(indices),
            pixels=torch.cat(pixels).to(torch.float32),
            rays_frame=torch.arange(len(indices)).repeat_interleave(sizes),
            rgb=torch.cat(rgb),
            foreground=torch.cat(foreground),
            semantics=torch.cat(semantics) if self.use_semantics else None,
        )

    def _targets(self, index: int, n_pixels: int, generator: torch.Generator):
        """Pixels of one frame with colours, foreground and semantics."""
        stored = self._read(index)
        bbox = self._to_pixels(self.records[index].bbox.reshape(2, 2)).flatten()
        pixels = sample_pixels(n_pixels, self.height, self.width, bbox, generator)
        u, v = pixels.unbind(dim=-1)
        semantics = None if stored.labels is None else self._semantics_at(stored.labels, u, v)
        return pixels, to_signed_range(stored.image[v, u]), stored.foreground[v, u], semantics

    def _semantics_at(self, labels: np.ndarray, u: Tensor, v: Tensor) -> Float[Tensor, "n 9"]:
        if labels.shape == (self.height, self.width):
            return torch.from_numpy(one_hot(labels[v.numpy(), u.numpy()]))
        return torch.from_numpy(soft_channels(labels, self.height, self.width))[v, u]

    def _read(self, index: int) -> _Pixels:
        if index not in self._pixels:
            record, size = self.records[index], (self.height, self.width)
            for path in _files_of(record, self.use_semantics).values():
                self._inside.check(path, record.folder)
            foreground = foreground_of(read_grey(record.mask_path, "mask"), *size)
            image = resize_colour(read_colour(record.image_path, "image"), *size)
            labels = read_grey(record.semantic_path, "semantic map") if self.use_semantics else None
            self._pixels[index] = _Pixels(
                image=torch.from_numpy(on_white(image, foreground)),
                foreground=torch.from_numpy(foreground),
                labels=labels,
            )
        return self._pixels[index]

    def _truth(self, record: FrameRecord) -> dict[str, Tensor]:
        """Normals, depth and where they are exact: what a recording comes with, at the size of the images."""
        readers = {
            "normals": (NORMALS, lambda path: decode_normals(read_normals_file(path))),
            "depth": (DEPTH, read_depth),
            "exact": (EXACT, lambda path: read_grey(path, "mask of what is exact") > FOREGROUND_THRESHOLD),
        }
        found = {}
        for name, (folder, read) in readers.items():
            path = record.folder / folder / record.image_path.name
            if path.is_file():
                self._inside.check(path, record.folder)
                check_png_size(path, name)
                try:
                    values = read(path)
                except cv2.error as error:
                    raise DataError(f"{path}: the {name} cannot be decoded ({shown(str(error))})") from error
                if values.shape[:2] == (self.height, self.width):
                    found[name] = torch.from_numpy(values)
        return found

    def _to_pixels(self, points: Float[np.ndarray, "k 2"]) -> Float[Tensor, "k 2"]:
        """Points of the files, in [-1, 1], as pixels."""
        return (_tensor(points) + 1) / 2 * torch.tensor([self.width, self.height])


def _subsample(frames: list[FrameRecord], subsample: int | Sequence[int], folder: Path) -> list[FrameRecord]:
    """Every n-th frame, a range of two numbers, or the named indices, over all recordings."""
    if isinstance(subsample, int):
        indices = range(0, len(frames), subsample)
    elif len(subsample) == 2:
        indices = range(*subsample)
    else:
        indices = list(subsample)
    outside = [index for index in indices if not 0 <= index < len(frames)]
    if outside or not indices:
        found = f"frame {outside[0]}" if outside else "no frame"
        raise DataError(
            f"{folder}: subsample = {subsample} asks for {found}, "
            f"but the recordings have the frames 0 to {len(frames) - 1}"
        )
    return [frames[index] for index in indices]


def _files_of(record: FrameRecord, use_semantics: bool) -> dict[str, Path]:
    """The files that are read of a frame, by their kind."""
    paths = {"image": record.image_path, "mask": record.mask_path}
    return {**paths, "semantic map": record.semantic_path} if use_semantics else paths


def _require_files(records: list[FrameRecord], use_semantics: bool, inside: Inside) -> None:
    """Every file that will be read must be there, before hours of training find out."""
    for record in records:
        for kind, path in _files_of(record, use_semantics).items():
            if not path.is_file():
                hint = "set gt_w_seg = False to train without semantics, " if use_semantics else ""
                raise DataError(
                    f"{path}: the {kind} of frame {record.name} in sub_dir {record.sub_dir} is missing; "
                    f"{hint if kind == 'semantic map' else ''}restore the file, or remove the frame from the JSON"
                )
            inside.check(path, record.folder)


def _cameras(records: list[FrameRecord], intrinsics: Float[np.ndarray, " 4"], height: int, width: int) -> Camera:
    """Cameras with intrinsics in pixels; `world_mat` is inverted as a general matrix."""
    world_mat = np.tile(np.eye(4), (len(records), 1, 1))
    world_mat[:, :3] = [record.world_mat for record in records]
    in_pixels = intrinsics * [width, height, width, height]
    return Camera(
        intrinsics=_tensor(in_pixels).repeat(len(records), 1),
        world_from_camera=_tensor(np.linalg.inv(world_mat)),
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


def _tensor(values) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
