"""Writes recordings in the layout that `data.subject` reads (docs/data_format.md)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import ArrayLike

from imavatar.data.images import write_png
from imavatar.data.intrinsics import IMAGE_SIZES, UNIT_KEY
from imavatar.data.subject import JSON_NAME, parse_recording
from imavatar.data.workplace import write_errors
from imavatar.files.atomic import write_text


@dataclass(frozen=True)
class TrackedFrame:
    """What a recording's file says of a frame besides its images.

    `world_mat` maps world to camera, model units. Expression and pose (radians) are the head model's. `keypoints` and
    `bbox` (x_min, y_min, x_max, y_max) are in [-1, 1]. `video_frame` is the frame's number in the video that it is
    from, from 0 on; None where it is from none.
    """

    world_mat: Float[np.ndarray, "3 4"]
    expression: Float[np.ndarray, " e"]
    pose: Float[np.ndarray, " 15"]
    keypoints: Float[np.ndarray, "k 2"]
    bbox: Float[np.ndarray, " 4"]
    video_frame: int | None = None


class SubjectWriter:
    """One sub_dir: images as they come, the JSON file last.

    The folder, `<data_folder>/<subject>/<subject>/<sub_dir>`, is made if absent. The JSON of an earlier recording is
    removed at the start, so that the file says that a folder is complete.
    """

    def __init__(self, folder: Path):
        self.folder, self.json_path = folder, folder / JSON_NAME
        self._frames: list[dict] = []
        with write_errors(folder, "choose another folder"):
            for kind in ("image", "mask", "semantic"):
                (folder / kind).mkdir(parents=True, exist_ok=True)
            self.json_path.unlink(missing_ok=True)

    def add_frame(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        mask: UInt8[np.ndarray, "_ _"],
        semantic: UInt8[np.ndarray, "_ _"],
        tracked: TrackedFrame,
    ) -> str:
        """Write a frame's images, mask (0...255) and face-parsing labels; returns its name, counted from 1.

        Raises:
            ValueError: the images differ in size.
            DataError: one cannot be written.
        """
        if not image.shape[:2] == mask.shape == semantic.shape:
            raise ValueError(f"image {image.shape}, mask {mask.shape} and semantic {semantic.shape} differ in size")
        name = str(len(self._frames) + 1)
        for kind, pixels in (("image", image), ("mask", mask), ("semantic", semantic)):
            write_png(self.folder / kind / f"{name}.png", pixels)
        self._frames.append(frame_entry(name, tracked))
        return name

    def finish(
        self,
        intrinsics: Float[np.ndarray, " 4"],
        shape_params: Float[np.ndarray, " 100"],
        split: str | None = None,
    ) -> None:
        """Write the JSON file; see `write_recording`."""
        write_recording(self.json_path, self._frames, intrinsics, shape_params, split)


def frame_entry(name: str, tracked: TrackedFrame) -> dict:
    """A frame of the JSON file."""
    of_video = {} if tracked.video_frame is None else {"video_frame": int(tracked.video_frame)}
    return {
        "file_path": f"./image/{name}",
        "world_mat": _listed(tracked.world_mat),
        "expression": _listed(tracked.expression),
        "pose": _listed(tracked.pose),
        "bbox": _listed(tracked.bbox),
        "flame_keypoints": _listed(tracked.keypoints),
        **of_video,
    }


def write_recording(
    path: Path,
    frames: list[dict],
    intrinsics: Float[np.ndarray, " 4"],
    shape_params: Float[np.ndarray, " 100"],
    split: str | None = None,
) -> None:
    """Write a JSON file in one step, checked as the reader checks it.

    Args:
        frames: as from `frame_entry`.
        intrinsics: fx, fy, cx, cy in units of the image size, fx negative.
        split: how the subject's frames were divided into training and test; None: not said.
    """
    tree = {
        "frames": frames,
        "intrinsics": _listed(intrinsics),
        UNIT_KEY: IMAGE_SIZES,
        "shape_params": _listed(shape_params),
        **({} if split is None else {"split": split}),
    }
    parse_recording(tree, path)
    with write_errors(path):
        write_text(path, json.dumps(tree))


def _listed(values: ArrayLike) -> list:
    """Nested lists of Python numbers, from an array or anything that becomes one."""
    return np.asarray(values, dtype=np.float64).tolist()
