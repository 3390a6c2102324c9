"""Writes recordings in the layout that `data.subject` reads (docs/data_format.md)."""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from imavatar.data.images import write_png
from imavatar.data.subject import parse_recording
from imavatar.errors import DataError
from imavatar.files.atomic import write_text

JSON_NAME = "flame_params.json"


class SubjectWriter:
    """One sub_dir: images as they come, the JSON file last.

    The JSON of an earlier recording is removed at the start, so that the file says that a folder is complete.

    Args:
        folder: `<data_folder>/<subject>/<subject>/<sub_dir>`; made if absent.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._frames: list[dict] = []
        try:
            for kind in ("image", "mask", "semantic"):
                (self.folder / kind).mkdir(parents=True, exist_ok=True)
            self.json_path.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be written ({error.strerror}); choose another folder") from error

    @property
    def json_path(self) -> Path:
        """Where the parameters go."""
        return self.folder / JSON_NAME

    def __len__(self) -> int:
        return len(self._frames)

    def add_frame(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        mask: UInt8[np.ndarray, "_ _"],
        semantic: UInt8[np.ndarray, "_ _"],
        world_mat: Float[np.ndarray, "3 4"],
        expression: Float[np.ndarray, " e"],
        pose: Float[np.ndarray, " 15"],
        keypoints: Float[np.ndarray, "k 2"],
        bbox: Float[np.ndarray, " 4"],
        video_frame: int | None = None,
    ) -> str:
        """Write a frame's images and remember its parameters; returns its name, counted from 1.

        The mask is 0...255, the semantics are face-parsing labels; keypoints and bbox are in [-1, 1]; `world_mat` maps
        world to camera in model units. `video_frame` is the frame's number in the video that it is from, from 0 on.
        """
        if not image.shape[:2] == mask.shape == semantic.shape:
            raise ValueError(f"image {image.shape}, mask {mask.shape} and semantic {semantic.shape} differ in size")
        name = str(len(self._frames) + 1)
        for kind, pixels in (("image", image), ("mask", mask), ("semantic", semantic)):
            write_png(self.folder / kind / f"{name}.png", pixels)
        self._frames.append(frame_entry(name, world_mat, expression, pose, keypoints, bbox, video_frame))
        return name

    def finish(self, intrinsics: Float[np.ndarray, " 4"], shape_params: Float[np.ndarray, " 100"]) -> Path:
        """Write the JSON file in one step, checked as the reader checks it; returns its path.

        Args:
            intrinsics: fx, fy, cx, cy in units of the image size, fx negative.
        """
        write_recording(self.json_path, self._frames, intrinsics, shape_params)
        return self.json_path


def frame_entry(
    name: str,
    world_mat: Float[np.ndarray, "3 4"],
    expression: Float[np.ndarray, " e"],
    pose: Float[np.ndarray, " 15"],
    keypoints: Float[np.ndarray, "k 2"],
    bbox: Float[np.ndarray, " 4"],
    video_frame: int | None = None,
) -> dict:
    """A frame of the JSON file; values as in `SubjectWriter.add_frame`."""
    of_video = {} if video_frame is None else {"video_frame": int(video_frame)}
    return {
        "file_path": f"./image/{name}",
        "world_mat": _listed(world_mat),
        "expression": _listed(expression),
        "pose": _listed(pose),
        "bbox": _listed(bbox),
        "flame_keypoints": _listed(keypoints),
        **of_video,
    }


def write_recording(
    path: Path, frames: list[dict], intrinsics: Float[np.ndarray, " 4"], shape_params: Float[np.ndarray, " 100"]
) -> None:
    """Write a JSON file in one step, checked as the reader checks it.

    Args:
        frames: as from `frame_entry`.
        intrinsics: fx, fy, cx, cy in units of the image size, fx negative.
    """
    tree = {"frames": frames, "intrinsics": _listed(intrinsics), "shape_params": _listed(shape_params)}
    parse_recording(tree, path)
    try:
        write_text(path, json.dumps(tree))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); free some space or choose another folder"
        ) from error


def _listed(values) -> list:
    """Nested lists of Python numbers, from an array or anything that becomes one."""
    return np.asarray(values, dtype=np.float64).tolist()
