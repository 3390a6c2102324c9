"""The fitted frames as subject folders, and as a video to check the fit by eye."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from imavatar.anatomy import HEAD_SCALE
from imavatar.data.subject_writer import SubjectWriter
from imavatar.data.video_file import write_video
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.preprocessing.fit_problem import Observations
from imavatar.preprocessing.frame_analysis import AnalysedVideo
from imavatar.preprocessing.overlay import overlay_frame
from imavatar.preprocessing.tracking import TrackingResult
from imavatar.types import HeadParameters

TEST_SHARE = 0.2
"""The last part of a single video, kept for evaluation."""

Progress = Callable[[str, int, int | None], None]


def plan_sub_dirs(
    videos: list[AnalysedVideo], video_of_frame: np.ndarray, valid: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """Names of the folders and the frames that go into each, in order."""
    index = np.flatnonzero(valid)
    if len(videos) == 1:
        n_train = round(len(index) * (1 - TEST_SHARE))
        return [("train", index[:n_train]), ("test", index[n_train:])]
    return [(v.path.stem, index[video_of_frame[index] == k]) for k, v in enumerate(videos)]


def file_intrinsics(focal: float, observations: Observations) -> np.ndarray:
    """fx, fy, cx, cy in units of the image size, for pixels at integer coordinates; fx is negative."""
    size = observations.size[1]
    cx, cy = observations.centre
    return np.array([-focal, focal, cx - 0.5, cy - 0.5]) / size


def to_file_range(points: np.ndarray, size: int) -> np.ndarray:
    """Continuous pixels to [-1, 1], where value v stands for the integer pixel coordinate (v + 1) / 2 * size."""
    return (points - 0.5) / size * 2 - 1


def write_recordings(
    folder: Path,
    videos: list[AnalysedVideo],
    observations: Observations,
    result: TrackingResult,
    progress: Progress,
) -> dict[str, int]:
    """Write every sub_dir; returns the number of frames in each."""
    first_of_video = np.searchsorted(observations.video, np.arange(len(videos)))
    size = observations.size[1]
    counts, done = {}, 0
    for name, frames in plan_sub_dirs(videos, observations.video, result.valid):
        writer = SubjectWriter(folder / name)
        for index in frames:
            video = observations.video[index]
            frame = videos[video].spool[int(index - first_of_video[video])]
            keypoints = to_file_range(result.keypoints[index], size)
            face = to_file_range(observations.landmarks[index], size)
            writer.add_frame(
                image=frame.image,
                mask=frame.mask,
                semantic=frame.semantic,
                world_mat=np.concatenate([np.eye(3), result.translation[index][:, None]], axis=1),
                expression=result.expression[index],
                pose=result.pose[index],
                keypoints=keypoints,
                bbox=np.concatenate([face.min(axis=0), face.max(axis=0)]),
                video_frame=int(observations.time[index]),
            )
            done += 1
            progress("writing frames", done, int(result.valid.sum()))
        writer.finish(file_intrinsics(result.focal, observations), result.shape)
        counts[name] = len(frames)
    return counts


def write_overlay(
    path: Path,
    videos: list[AnalysedVideo],
    observations: Observations,
    result: TrackingResult,
    assets: HeadAssets,
    fps: float | None,
    progress: Progress,
) -> None:
    """A video of all fitted frames with mesh and landmarks drawn over them."""

    def frames() -> Iterator[np.ndarray]:
        first_of_video = np.searchsorted(observations.video, np.arange(len(videos)))
        flame = Flame(assets, torch.as_tensor(result.shape))
        for index, video in enumerate(observations.video):
            frame = videos[video].spool[int(index - first_of_video[video])]
            head = HeadParameters(
                torch.as_tensor(result.expression[index : index + 1]),
                torch.as_tensor(result.pose[index : index + 1]),
            )
            with torch.no_grad():
                vertices = flame.vertices(head)[0].double().numpy() + result.translation[index]
            name = videos[video].path.stem
            label = f"{name} {observations.time[index]}: {100 * result.relative_error[index]:.1f} %"
            progress("drawing the overlay", index + 1, len(observations))
            yield overlay_frame(
                frame.image,
                vertices / HEAD_SCALE,
                assets.faces,
                (result.focal, *observations.centre),
                np.concatenate([observations.landmarks[index], observations.irises[index]]),
                np.concatenate([result.landmarks[index], result.keypoints[index, -2:]]),
                label,
            )

    write_video(path, frames(), fps=fps or 25.0)
