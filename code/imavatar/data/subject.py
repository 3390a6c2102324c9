"""flame_params.json to records, with every value checked (docs/data_format.md, section 2)."""

import functools
import os
import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from imavatar.anatomy import N_SHAPE, POSE_SIZE
from imavatar.data.intrinsics import parse_intrinsics
from imavatar.data.json_values import Json, describe, numbers, read_json, required
from imavatar.errors import DataError
from imavatar.names import NAME_RULE, is_name, is_plain, shown

JSON_NAME = "flame_params.json"
"""Of the file with a recording's tracked parameters."""
EXPRESSION_SIZES = (50, 100)
"""How many expression coefficients a file may hold per frame; the first ones are used."""

MIN_KEYPOINTS = 68
MAX_ANGLE = 100.0
"""Radians: no tracker turns a joint sixteen times."""
MAX_COEFFICIENT = 1000.0
"""Of shape and expression, whose standard deviation is one."""
MAX_POSITION = 1000.0
"""Of points and boxes in an image that reaches from -1 to 1."""
MAX_CAMERA = 1.0e6
"""Of the camera's matrix, whose translation is in model units."""
MAX_FRAMES = 2**31
"""Of a video."""


@dataclass(frozen=True)
class FrameRecord:
    """One frame of a recording, as tracked; images are paths.

    `world_mat` maps world to camera, model units. `bbox` (x_min, y_min, x_max, y_max) and `keypoints` are in [-1, 1].
    `video_frame` is the frame's number in the video that it is from, at the recording's rate from 0 on, where the file
    says so.
    """

    name: str
    sub_dir: str
    image_path: Path
    mask_path: Path
    semantic_path: Path
    world_mat: Float[np.ndarray, "3 4"]
    expression: Float[np.ndarray, " e"]
    pose: Float[np.ndarray, " 15"]
    bbox: Float[np.ndarray, " 4"]
    keypoints: Float[np.ndarray, "k 2"]
    video_frame: int | None = None

    @property
    def folder(self) -> Path:
        """The recording's folder, in which all files of the frame must be."""
        return self.mask_path.parent.parent


def frame_number(frame: FrameRecord, index: int) -> int:
    """A frame's number in its video; the one in its name where the recording says none, else `index`."""
    if frame.video_frame is not None:
        return frame.video_frame
    return int(frame.name) if frame.name.isdecimal() else index


@dataclass(frozen=True)
class Recording:
    """One sub_dir of a subject. Intrinsics fx, fy, cx, cy in units of the image size, fx negative.

    `split` is how the subject's frames were divided into training and test, where the file says so.
    """

    frames: tuple[FrameRecord, ...]
    shape_params: Float[np.ndarray, " 100"]
    intrinsics: Float[np.ndarray, " 4"]
    split: str | None = None


def load_recording(folder: Path, json_name: str = JSON_NAME) -> Recording:
    """The recording of `<data_folder>/<subject>/<subject>/<sub_dir>`; images are not touched.

    Raises:
        DataError: the file is missing, no JSON, or has values that are missing or wrong.
    """
    path = folder / json_name
    return parse_recording(read_json(path), path)


def parse_recording(tree: Json, path: Path) -> Recording:
    """The checked content of a JSON tree.

    Args:
        path: of the file, beside which its images lie; named in errors.

    Raises:
        DataError: a value is missing, of another type or shape, or out of range.
    """
    frames = required(tree, "frames", str(path))
    if not isinstance(frames, list) or not frames:
        raise DataError(f"{path}: frames is {describe(frames)}, expected a list of at least one frame")
    records = tuple(_parse_frame(frame, index, path) for index, frame in enumerate(frames))
    seen: dict[str, int] = {}
    for index, record in enumerate(records):
        if record.name in seen:
            raise DataError(
                f"{path}: frames {seen[record.name]} and {index} both have file_path ./image/{record.name}; "
                "every frame needs its own image"
            )
        seen[record.name] = index
    shape_params = numbers(tree, "shape_params", str(path), (N_SHAPE,), MAX_COEFFICIENT)
    return Recording(records, shape_params, parse_intrinsics(tree, path), _parse_split(tree, path))


def _parse_split(tree: Json, path: Path) -> str | None:
    split = tree.get("split")
    if split is not None and (not isinstance(split, str) or not is_name(split)):
        raise DataError(f"{path}: split is {describe(split)}, expected the name of a split such as last")
    return split


def _parse_frame(frame: Json, index: int, path: Path) -> FrameRecord:
    where = f"{path}: frame {index}"
    file_path = required(frame, "file_path", where)
    if not isinstance(file_path, str) or not PurePosixPath(file_path).name:
        raise DataError(f"{where}: file_path is {describe(file_path)}, expected text such as ./image/1")
    if not _stays_inside(file_path):
        raise DataError(
            f"{where}: file_path is {describe(file_path)}, expected a path below the recording's folder such as "
            "./image/1: relative, without .. that leaves it, without \\ and control characters"
        )
    name = PurePosixPath(file_path).name.removesuffix(".png")
    if not is_name(name) or not is_name(f"{name}.png"):
        raise DataError(f"{where}: file_path is {describe(file_path)}, which must end with {NAME_RULE}")
    where = f"{where} ({shown(file_path)})"
    folder = path.parent
    image_folder = folder / PurePosixPath(file_path).parent
    world_mat = numbers(frame, "world_mat", where, (3, 4), MAX_CAMERA)
    if abs(np.linalg.det(world_mat[:, :3])) < 1e-9:
        raise DataError(f"{where}: the rotation in world_mat is singular, expected world to camera, 3 x 4")
    return FrameRecord(
        name=name,
        sub_dir=folder.name,
        image_path=image_folder / f"{name}.png",
        mask_path=folder / "mask" / f"{name}.png",
        semantic_path=folder / "semantic" / f"{name}.png",
        world_mat=world_mat,
        expression=_parse_expression(frame, where),
        pose=numbers(frame, "pose", where, (POSE_SIZE,), MAX_ANGLE),
        bbox=_parse_bbox(frame, where),
        keypoints=_parse_keypoints(frame, where),
        video_frame=_parse_video_frame(frame, where),
    )


def _parse_video_frame(frame: Json, where: str) -> int | None:
    value = frame.get("video_frame")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_FRAMES):
        raise DataError(f"{where}: video_frame is {describe(value)}, expected a number of a frame, from 0 on")
    return value


def _parse_expression(frame: Json, where: str) -> Float[np.ndarray, " e"]:
    values = required(frame, "expression", where)
    if isinstance(values, list) and len(values) not in EXPRESSION_SIZES:
        expected = " or ".join(map(str, EXPRESSION_SIZES))
        raise DataError(
            f"{where}: expression has {len(values)} values, expected {expected}; was it written by another tracker?"
        )
    return numbers(frame, "expression", where, (None,), MAX_COEFFICIENT)


def _parse_bbox(frame: Json, where: str) -> Float[np.ndarray, " 4"]:
    bbox = numbers(frame, "bbox", where, (4,), MAX_POSITION)
    if bbox[0] >= bbox[2] or bbox[1] >= bbox[3]:
        raise DataError(
            f"{where}: bbox is {bbox.tolist()}, expected x_min, y_min, x_max, y_max in [-1, 1] "
            "with x_min < x_max and y_min < y_max"
        )
    return bbox


def _parse_keypoints(frame: Json, where: str) -> Float[np.ndarray, "k 2"]:
    keypoints = numbers(frame, "flame_keypoints", where, (None, 2), MAX_POSITION)
    if len(keypoints) < MIN_KEYPOINTS:
        raise DataError(f"{where}: flame_keypoints has {len(keypoints)} points, expected at least {MIN_KEYPOINTS}")
    return keypoints


def _stays_inside(file_path: str) -> bool:
    """Whether a path, as text, leads to a file below the folder that it is appended to."""
    way = posixpath.normpath(file_path)
    return is_plain(file_path) and "\\" not in file_path and not way.startswith("/") and way.split("/")[0] != ".."


class Inside:
    """Whether files lie where their recording is, with all symbolic links followed; folders are resolved once."""

    def __init__(self):
        self._resolve = functools.cache(os.path.realpath)

    def check(self, path: Path, folder: Path) -> None:
        """See that no link leads a file of a recording out of the recording's folder.

        The folder itself may be a link: who lays out the data decides where it is, who wrote the recording may not.

        Raises:
            DataError: one does.
        """
        own, parent = self._resolve(folder), self._resolve(path.parent)
        target = os.path.realpath(path) if path.is_symlink() else os.path.join(parent, path.name)
        if os.path.commonpath([own, target]) != own:
            raise DataError(
                f"{path}: a symbolic link leads to {target}, out of the recording's folder {own}; a recording has its "
                "own files: copy them into it, or link the whole folder of the recording"
            )
