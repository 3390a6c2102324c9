"""flame_params.json to records, with every value checked (SPEC section 11)."""

import json
import math
import os
import posixpath
import stat
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from imavatar.anatomy import POSE_SIZE
from imavatar.errors import DataError
from imavatar.names import NAME_RULE, is_name, is_plain, shown

JSON_NAME = "flame_params.json"
"""Of the file with a recording's tracked parameters."""
N_SHAPE = 100
EXPRESSION_SIZES = (50, 100)
"""How many expression coefficients a file may hold per frame; the first ones are used."""

MIN_KEYPOINTS = 68
PIXEL_INTRINSICS_SIZE = 512
"""Intrinsics whose last number exceeds 1 are pixels of an image of this size."""


MAX_ANGLE = 100.0
"""Radians: no tracker turns a joint sixteen times."""
MAX_COEFFICIENT = 1000.0
"""Of shape and expression, whose standard deviation is one."""
MAX_POSITION = 1000.0
"""Of points and boxes in an image that reaches from -1 to 1."""
MAX_CAMERA = 1.0e6
"""Of the camera's matrix, whose translation is in model units, and of intrinsics, which may be in pixels."""
MAX_FRAMES = 2**31
"""Of a video."""
MIN_FOCAL = 1.0e-3
"""Of the image's size: rays are divided by it."""


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


@dataclass(frozen=True)
class Recording:
    """One sub_dir of a subject. Intrinsics fx, fy, cx, cy in units of the image size, fx negative."""

    frames: tuple[FrameRecord, ...]
    shape_params: Float[np.ndarray, " 100"]
    intrinsics: Float[np.ndarray, " 4"]


def load_recording(folder: Path, json_name: str = JSON_NAME) -> Recording:
    """The recording of `<data_folder>/<subject>/<subject>/<sub_dir>`; images are not touched."""
    path = folder / json_name
    return parse_recording(read_json(path), path)


def read_json(path: Path):
    """The tree of a JSON file; a byte order mark, as editors on Windows write it, is left out."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f"{path}: is not a file")
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; check data_folder, subject_name, sub_dir and json_name in the configuration, "
            "or make the recording with scripts/preprocess.sh"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text ({error.reason} at byte {error.start})") from error
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno} of "
            f"{len(content)} characters; if the file was cut off, copy or create it again"
        ) from error
    except RecursionError as error:
        raise DataError(f"{path}: lists or objects are nested too deeply, expected at most five levels") from error
    except ValueError as error:
        # json's own errors are above: what is left is Python's limit for whole numbers.
        raise DataError(
            f"{path}: has a whole number of more than {sys.get_int_max_str_digits()} digits, expected numbers that fit "
            "single precision"
        ) from error


def parse_recording(tree, path: Path) -> Recording:
    """The checked content of a JSON tree; `path` is where its images lie, and named in errors."""
    frames = _required(tree, "frames", str(path))
    if not isinstance(frames, list) or not frames:
        raise DataError(f"{path}: frames is {_describe(frames)}, expected a list of at least one frame")
    records = tuple(_parse_frame(frame, index, path) for index, frame in enumerate(frames))
    seen: dict[str, int] = {}
    for index, record in enumerate(records):
        if record.name in seen:
            raise DataError(
                f"{path}: frames {seen[record.name]} and {index} both have file_path ./image/{record.name}; "
                "every frame needs its own image"
            )
        seen[record.name] = index
    shape_params = _numbers(tree, "shape_params", str(path), (N_SHAPE,), MAX_COEFFICIENT)
    return Recording(records, shape_params, _parse_intrinsics(tree, path))


def _parse_frame(frame, index: int, path: Path) -> FrameRecord:
    where = f"{path}: frame {index}"
    file_path = _required(frame, "file_path", where)
    if not isinstance(file_path, str) or not PurePosixPath(file_path).name:
        raise DataError(f"{where}: file_path is {_describe(file_path)}, expected text such as ./image/1")
    if not _stays_inside(file_path):
        raise DataError(
            f"{where}: file_path is {_describe(file_path)}, expected a path below the recording's folder such as "
            "./image/1: relative, without .. that leaves it, without \\ and control characters"
        )
    name = PurePosixPath(file_path).name.removesuffix(".png")
    if not is_name(name) or not is_name(f"{name}.png"):
        raise DataError(f"{where}: file_path is {_describe(file_path)}, which must end with {NAME_RULE}")
    where = f"{where} ({shown(file_path)})"
    folder = path.parent
    image_folder = folder / PurePosixPath(file_path).parent
    world_mat = _numbers(frame, "world_mat", where, (3, 4), MAX_CAMERA)
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
        pose=_numbers(frame, "pose", where, (POSE_SIZE,), MAX_ANGLE),
        bbox=_parse_bbox(frame, where),
        keypoints=_parse_keypoints(frame, where),
        video_frame=_parse_video_frame(frame, where),
    )


def _parse_video_frame(frame, where: str) -> int | None:
    value = frame.get("video_frame")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_FRAMES):
        raise DataError(f"{where}: video_frame is {_describe(value)}, expected a number of a frame, from 0 on")
    return value


def _parse_expression(frame, where: str) -> Float[np.ndarray, " e"]:
    values = _required(frame, "expression", where)
    if isinstance(values, list) and len(values) not in EXPRESSION_SIZES:
        expected = " or ".join(map(str, EXPRESSION_SIZES))
        raise DataError(
            f"{where}: expression has {len(values)} values, expected {expected}; was it written by another tracker?"
        )
    return _numbers(frame, "expression", where, (None,), MAX_COEFFICIENT)


def _parse_bbox(frame, where: str) -> Float[np.ndarray, " 4"]:
    bbox = _numbers(frame, "bbox", where, (4,), MAX_POSITION)
    if bbox[0] >= bbox[2] or bbox[1] >= bbox[3]:
        raise DataError(
            f"{where}: bbox is {bbox.tolist()}, expected x_min, y_min, x_max, y_max in [-1, 1] "
            "with x_min < x_max and y_min < y_max"
        )
    return bbox


def _parse_keypoints(frame, where: str) -> Float[np.ndarray, "k 2"]:
    keypoints = _numbers(frame, "flame_keypoints", where, (None, 2), MAX_POSITION)
    if len(keypoints) < MIN_KEYPOINTS:
        raise DataError(f"{where}: flame_keypoints has {len(keypoints)} points, expected at least {MIN_KEYPOINTS}")
    return keypoints


def _parse_intrinsics(tree, path: Path) -> Float[np.ndarray, " 4"]:
    intrinsics = _numbers(tree, "intrinsics", str(path), (4,), MAX_CAMERA)
    if intrinsics[3] > 1:
        intrinsics = intrinsics / PIXEL_INTRINSICS_SIZE
    if not (intrinsics[0] < 0 < intrinsics[1]):
        raise DataError(
            f"{path}: intrinsics are {intrinsics.tolist()}, expected fx < 0 and fy > 0: "
            "the camera looks along -z, and these files carry its sign in fx"
        )
    if min(-intrinsics[0], intrinsics[1]) < MIN_FOCAL:
        raise DataError(
            f"{path}: intrinsics are {intrinsics.tolist()}, expected focal lengths of at least {MIN_FOCAL} of the "
            "image's size"
        )
    return intrinsics


def _required(tree, key: str, where: str):
    """The value of a key that must be there."""
    if not isinstance(tree, dict):
        raise DataError(f"{where}: found {_describe(tree)}, expected an object with the key {key}")
    if key not in tree:
        known = shown(", ".join(sorted(map(str, tree))), 200) or "none"
        raise DataError(f"{where}: the key {key} is missing (keys found: {known})")
    return tree[key]


def _numbers(tree, key: str, where: str, shape: tuple[int | None, ...], largest: float) -> Float[np.ndarray, "*n"]:
    """The numbers of nested lists of a shape, from -largest to largest; None leaves a length open."""
    value = _required(tree, key, where)
    _check_nesting(value, key, where, shape)
    array = np.array(value, dtype=np.float64)
    for fits, expected in (
        (np.isfinite(array), "a finite number; tracking failed there, so leave the frame out"),
        (np.abs(array) <= largest, f"a number from {-largest} to {largest}"),
    ):
        if not fits.all():
            position = tuple(int(i) for i in np.argwhere(~fits)[0])
            place = "".join(f"[{i}]" for i in position)
            raise DataError(f"{where}: {key}{place} is {array[position]}, expected {expected}")
    return array


def _check_nesting(value, name: str, where: str, shape: tuple[int | None, ...]) -> None:
    if not shape:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: {name} is {_describe(value)}, expected a number")
        if isinstance(value, int) and not math.isfinite(_as_float(value)):
            raise DataError(f"{where}: {name} is too large for a number")
        return
    size = shape[0]
    if not isinstance(value, list):
        wanted = " x ".join("n" if s is None else str(s) for s in shape)
        raise DataError(f"{where}: {name} is {_describe(value)}, expected {wanted} numbers")
    if size is not None and len(value) != size:
        raise DataError(f"{where}: {name} has {len(value)} values, expected {size}")
    for index, item in enumerate(value):
        _check_nesting(item, f"{name}[{index}]", where, shape[1:])


def _as_float(value: int) -> float:
    """The value as a float, infinite where it does not fit: JSON integers have any length."""
    return float(value) if abs(value) < 10**300 else math.inf


def _describe(value) -> str:
    """What was found, short enough for a message."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _stays_inside(file_path: str) -> bool:
    """Whether a path, as text, leads to a file below the folder that it is appended to."""
    way = posixpath.normpath(file_path)
    return is_plain(file_path) and "\\" not in file_path and not way.startswith("/") and way.split("/")[0] != ".."


class Inside:
    """Whether files lie where their recording is, with all symbolic links followed; folders are resolved once."""

    def __init__(self):
        self._resolved: dict[Path, str] = {}

    def check(self, path: Path, folder: Path) -> None:
        """Raise a DataError for a file of a recording that a link leads out of the recording's folder.

        The folder itself may be a link: who lays out the data decides where it is, who wrote the recording may not.
        """
        own, parent = self._resolve(folder), self._resolve(path.parent)
        target = os.path.realpath(path) if path.is_symlink() else os.path.join(parent, path.name)
        if os.path.commonpath([own, target]) != own:
            raise DataError(
                f"{path}: a symbolic link leads to {target}, out of the recording's folder {own}; a recording has its "
                "own files: copy them into it, or link the whole folder of the recording"
            )

    def _resolve(self, folder: Path) -> str:
        if folder not in self._resolved:
            self._resolved[folder] = os.path.realpath(folder)
        return self._resolved[folder]
