"""flame_params.json to records, with every value checked (SPEC section 11)."""

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from imavatar.anatomy import POSE_SIZE
from imavatar.errors import DataError

N_SHAPE = 100
EXPRESSION_SIZES = (50, 100)
"""How many expression coefficients a file may hold per frame; the first ones are used."""

MIN_KEYPOINTS = 68
PIXEL_INTRINSICS_SIZE = 512
"""Intrinsics whose last number exceeds 1 are pixels of an image of this size."""


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


@dataclass(frozen=True)
class Recording:
    """One sub_dir of a subject. Intrinsics fx, fy, cx, cy in units of the image size, fx negative."""

    frames: tuple[FrameRecord, ...]
    shape_params: Float[np.ndarray, " 100"]
    intrinsics: Float[np.ndarray, " 4"]


def load_recording(folder: Path, json_name: str = "flame_params.json") -> Recording:
    """The recording of `<data_folder>/<subject>/<subject>/<sub_dir>`; images are not touched."""
    path = folder / json_name
    return parse_recording(read_json(path), path)


def read_json(path: Path):
    """The tree of a JSON file."""
    try:
        content = path.read_text(encoding="utf-8")
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
    shape_params = _numbers(tree, "shape_params", str(path), (N_SHAPE,))
    return Recording(records, shape_params, _parse_intrinsics(tree, path))


def _parse_frame(frame, index: int, path: Path) -> FrameRecord:
    where = f"{path}: frame {index}"
    file_path = _required(frame, "file_path", where)
    if not isinstance(file_path, str) or not PurePosixPath(file_path).name:
        raise DataError(f"{where}: file_path is {_describe(file_path)}, expected text such as ./image/1")
    name = PurePosixPath(file_path).name.removesuffix(".png")
    where = f"{where} ({file_path})"
    folder = path.parent
    image_folder = folder / PurePosixPath(file_path).parent
    world_mat = _numbers(frame, "world_mat", where, (3, 4))
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
        pose=_numbers(frame, "pose", where, (POSE_SIZE,)),
        bbox=_parse_bbox(frame, where),
        keypoints=_parse_keypoints(frame, where),
        video_frame=_parse_video_frame(frame, where),
    )


def _parse_video_frame(frame, where: str) -> int | None:
    value = frame.get("video_frame")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise DataError(f"{where}: video_frame is {_describe(value)}, expected a number of a frame, from 0 on")
    return value


def _parse_expression(frame, where: str) -> Float[np.ndarray, " e"]:
    values = _required(frame, "expression", where)
    if isinstance(values, list) and len(values) not in EXPRESSION_SIZES:
        expected = " or ".join(map(str, EXPRESSION_SIZES))
        raise DataError(
            f"{where}: expression has {len(values)} values, expected {expected}; was it written by another tracker?"
        )
    return _numbers(frame, "expression", where, (None,))


def _parse_bbox(frame, where: str) -> Float[np.ndarray, " 4"]:
    bbox = _numbers(frame, "bbox", where, (4,))
    if bbox[0] >= bbox[2] or bbox[1] >= bbox[3]:
        raise DataError(
            f"{where}: bbox is {bbox.tolist()}, expected x_min, y_min, x_max, y_max in [-1, 1] "
            "with x_min < x_max and y_min < y_max"
        )
    return bbox


def _parse_keypoints(frame, where: str) -> Float[np.ndarray, "k 2"]:
    keypoints = _numbers(frame, "flame_keypoints", where, (None, 2))
    if len(keypoints) < MIN_KEYPOINTS:
        raise DataError(f"{where}: flame_keypoints has {len(keypoints)} points, expected at least {MIN_KEYPOINTS}")
    return keypoints


def _parse_intrinsics(tree, path: Path) -> Float[np.ndarray, " 4"]:
    intrinsics = _numbers(tree, "intrinsics", str(path), (4,))
    if intrinsics[3] > 1:
        intrinsics = intrinsics / PIXEL_INTRINSICS_SIZE
    if not (intrinsics[0] < 0 < intrinsics[1]):
        raise DataError(
            f"{path}: intrinsics are {intrinsics.tolist()}, expected fx < 0 and fy > 0: "
            "the camera looks along -z, and these files carry its sign in fx"
        )
    return intrinsics


def _required(tree, key: str, where: str):
    """The value of a key that must be there."""
    if not isinstance(tree, dict):
        raise DataError(f"{where}: found {_describe(tree)}, expected an object with the key {key}")
    if key not in tree:
        known = ", ".join(sorted(map(str, tree))) or "none"
        raise DataError(f"{where}: the key {key} is missing (keys found: {known})")
    return tree[key]


def _numbers(tree, key: str, where: str, shape: tuple[int | None, ...]) -> Float[np.ndarray, "*n"]:
    """The finite numbers of nested lists of a shape; None leaves a length open."""
    value = _required(tree, key, where)
    _check_nesting(value, key, where, shape)
    array = np.array(value, dtype=np.float64)
    if not np.isfinite(array).all():
        position = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        place = "".join(f"[{i}]" for i in position)
        raise DataError(
            f"{where}: {key}{place} is {array[position]}, expected a finite number; "
            "tracking failed there, so leave the frame out"
        )
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
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
