"""Frames of a subject as records and training batches. Knows files, not networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from imavatar.data import images
from imavatar.data.ground_truth import DEPTH, EXACT, NORMALS, read_depth, read_exact, read_normals
from imavatar.data.sampling import sample_pixels
from imavatar.data.subject import FrameRecord, Inside
from imavatar.data.subject_table import Frame, SubjectTable
from imavatar.errors import DataError
from imavatar.names import shown
from imavatar.types import Batch


@dataclass(frozen=True)
class _Pixels:
    """What is kept of a frame's files after the first read: bytes. Labels stay at their file's size."""

    image: UInt8[Tensor, "h w 3"]
    foreground: Bool[Tensor, "h w"]
    labels: UInt8[np.ndarray, "_ _"] | None


class FaceDataset(SubjectTable):
    """The frames of recordings with their images, all at one size.

    Everything that can be checked without decoding an image is checked here. What is not named below is as of
    `SubjectTable`.

    Args:
        use_semantics: whether batches and frames carry semantics.
        options: `subsample`, `json_name` and `n_expression`, as of `SubjectTable`.

    Raises:
        DataError: as `SubjectTable`, or a frame's image, mask or semantic map is missing.
    """

    only_json: ClassVar[bool] = False

    def __init__(
        self,
        data_folder: Path | str,
        subject_name: str,
        sub_dirs: Sequence[str],
        img_res: Sequence[int],
        *,
        use_semantics: bool = False,
        **options: Any,
    ):
        super().__init__(data_folder, subject_name, sub_dirs, img_res, **options)
        self.use_semantics = use_semantics
        self._inside = Inside()
        _require_files(self.records, use_semantics, self._inside)
        self._pixels: dict[int, _Pixels] = {}

    def frame(self, index: int) -> Frame:
        """Everything known of one frame, with its images.

        Raises:
            DataError: a file cannot be read.
        """
        index = range(len(self))[index]
        pixels, semantics = self._read(index), None
        if pixels.labels is not None:
            semantics = torch.from_numpy(images.soft_channels(pixels.labels, self.height, self.width))
        return replace(
            super().frame(index),
            image=images.to_signed_range(pixels.image),
            foreground=pixels.foreground,
            semantics=semantics,
            **self._truth(self.records[index]),
        )

    def batch(self, indices: Sequence[int], n_pixels: int, generator: torch.Generator) -> Batch:
        """`n_pixels` pixels of each frame with their targets (fewer where a face's box is small).

        Raises:
            DataError: a file cannot be read.
        """
        parts = [self._targets(index, n_pixels, generator) for index in indices]
        pixels, rgb, foreground, semantics = zip(*parts, strict=True)
        sizes = torch.tensor([len(part) for part in pixels])
        return Batch(
            frame=torch.as_tensor(indices, dtype=torch.long),
            camera=self.camera(indices),
            head=self.head(indices),
            pixels=torch.cat(pixels).to(torch.float32),
            rays_frame=torch.arange(len(indices)).repeat_interleave(sizes),
            rgb=torch.cat(rgb),
            foreground=torch.cat(foreground),
            semantics=torch.cat(semantics) if self.use_semantics else None,
        )

    def _targets(
        self, index: int, n_pixels: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Pixels of one frame with colours, foreground and semantics."""
        stored = self._read(index)
        pixels = sample_pixels(n_pixels, self.height, self.width, self._bbox(index), generator)
        u, v = pixels.unbind(dim=-1)
        labels, semantics = stored.labels, None
        if labels is not None and labels.shape == (self.height, self.width):
            semantics = torch.from_numpy(images.one_hot(labels[v.numpy(), u.numpy()]))
        elif labels is not None:
            semantics = torch.from_numpy(images.soft_channels(labels, self.height, self.width))[v, u]
        return pixels, images.to_signed_range(stored.image[v, u]), stored.foreground[v, u], semantics

    def _read(self, index: int) -> _Pixels:
        if index not in self._pixels:
            record, size = self.records[index], (self.height, self.width)
            for path in _files_of(record, self.use_semantics).values():
                self._inside.check(path, record.folder)
            foreground = images.foreground_of(images.read_grey(record.mask_path, "mask"), *size)
            image = images.resize_colour(images.read_colour(record.image_path, "image"), *size)
            labels = images.read_grey(record.semantic_path, "semantic map") if self.use_semantics else None
            self._pixels[index] = _Pixels(
                image=torch.from_numpy(images.on_white(image, foreground)),
                foreground=torch.from_numpy(foreground),
                labels=labels,
            )
        return self._pixels[index]

    def _truth(self, record: FrameRecord) -> dict[str, Tensor]:
        """Normals, depth and where they are exact: what a recording comes with, at the size of the images."""
        kinds = (("normals", NORMALS, read_normals), ("depth", DEPTH, read_depth), ("exact", EXACT, read_exact))
        found = {}
        for name, folder, read in kinds:
            path = record.folder / folder / record.image_path.name
            if path.is_file():
                self._inside.check(path, record.folder)
                images.check_png_size(path, name)
                try:
                    values = read(path)
                except cv2.error as error:
                    raise DataError(f"{path}: the {name} cannot be decoded ({shown(str(error))})") from error
                if values.shape[:2] == (self.height, self.width):
                    found[name] = torch.from_numpy(values)
        return found


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
