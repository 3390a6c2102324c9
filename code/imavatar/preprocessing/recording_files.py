"""The fitted frames as subject folders, and as a video to check the fit by eye."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from imavatar.anatomy import HEAD_SCALE
from imavatar.data.drawing import draw_mesh
from imavatar.data.splits import BLOCKS, TEST, TRAIN, frames_in_blocks, last_frames
from imavatar.data.subject_writer import SubjectWriter, TrackedFrame
from imavatar.data.video_file import write_video
from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.preprocessing.frame_analysis import AnalysedVideo, CachedFrames
from imavatar.preprocessing.landmarks import PIXEL_CENTRE
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.tracking import TrackingResult
from imavatar.progress import track
from imavatar.types import HeadParameters

DETECTED = np.array([255, 40, 40])
FITTED = np.array([40, 230, 40])
MESH_SIZE = 256
"""Pixels at most at which the mesh is rasterised."""


def plan_sub_dirs(
    videos: list[AnalysedVideo], valid: Bool[np.ndarray, " n"], split: str
) -> list[tuple[str, Int[np.ndarray, " k"]]]:
    """Names of the folders and the indices of the frames that go into each, in order.

    What is held out becomes `test`, the rest `train`; of several videos each becomes its own folder, unless blocks of
    all are held out. Frames that are not valid are left out.

    Raises:
        DataError: nothing is held out.
    """
    index = np.flatnonzero(valid)
    if keeps_videos_apart(videos, split):
        of_video = video_of_frames(videos)
        return [(v.path.stem, index[of_video[index] == k]) for k, v in enumerate(videos)]
    held = held_out(videos, index, split)
    if not held.any() or held.all():
        raise DataError(
            f"{videos[0].path}: the split {split} holds out {held.sum()} of {len(held)} frames, expected some: its "
            "shots are too short, or do not show the face there; choose another --split"
        )
    return [(TRAIN, index[~held]), (TEST, index[held])]


def keeps_videos_apart(videos: list[AnalysedVideo], split: str) -> bool:
    """Whether each video becomes a folder of its own: the user says which are for training."""
    return len(videos) > 1 and split != BLOCKS


def held_out(videos: list[AnalysedVideo], index: Int[np.ndarray, " k"], split: str) -> Bool[np.ndarray, " k"]:
    """Which of some used frames are held out."""
    if split != BLOCKS:
        return last_frames(len(index))
    parts = [frames_in_blocks(np.asarray(video.time), video.shots(), video.rate) for video in videos]
    return np.concatenate(parts)[index]


def video_of_frames(videos: list[AnalysedVideo]) -> Int[np.ndarray, " n"]:
    """Which of the videos each used frame is from."""
    return np.repeat(np.arange(len(videos)), [len(video.time) for video in videos])


def file_intrinsics(focal: float, observations: Observations) -> Float[np.ndarray, " 4"]:
    """fx (negative), fy, cx, cy in units of the image size, for pixels at integer coordinates.

    fx and cx are in widths, fy and cy in heights; `focal` is in pixels.
    """
    (cx, cy), (height, width) = observations.centre, observations.size
    return np.array([-focal, focal, cx - PIXEL_CENTRE, cy - PIXEL_CENTRE]) / [width, height, width, height]


def to_file_range(points: Float[np.ndarray, "k 2"], size: tuple[int, int]) -> Float[np.ndarray, "k 2"]:
    """Continuous pixels to [-1, 1], where value v stands for the integer pixel coordinate (v + 1) / 2 * width (or
    height); `size` is height and width.
    """
    return (points - PIXEL_CENTRE) / size[::-1] * 2 - 1


def tracked_frame(
    row: int, observations: Observations, result: TrackingResult, video_frame: int | None = None
) -> TrackedFrame:
    """What the files say of a fitted frame."""
    size = observations.size
    face = to_file_range(observations.landmarks[row], size)
    return TrackedFrame(
        world_mat=np.concatenate([np.eye(3), result.translation[row][:, None]], axis=1),
        expression=result.expression[row],
        pose=result.pose[row],
        keypoints=to_file_range(result.keypoints[row], size),
        bbox=np.concatenate([face.min(axis=0), face.max(axis=0)]),
        video_frame=video_frame,
    )


def write_recordings(
    folder: Path, videos: list[AnalysedVideo], observations: Observations, result: TrackingResult, split: str
) -> dict[str, int]:
    """Write every sub_dir; returns the number of frames in each.

    Raises:
        DataError: a file cannot be written, or the split holds nothing out.
    """
    cached, counts = CachedFrames(videos), {}
    number = [number for video in videos for number in video.time]
    said = None if keeps_videos_apart(videos, split) else split
    for name, frames in plan_sub_dirs(videos, result.valid, split):
        writer = SubjectWriter(folder / name)
        for index in track(frames.tolist(), f"frames of {name} written"):
            frame = cached[index]
            tracked = tracked_frame(index, observations, result, number[index])
            writer.add_frame(frame.image, frame.mask, frame.semantic, tracked)
        writer.finish(file_intrinsics(result.focal, observations), result.shape, said)
        counts[name] = len(frames)
    return counts


def write_overlay(
    path: Path,
    videos: list[AnalysedVideo],
    observations: Observations,
    result: TrackingResult,
    assets: HeadAssets,
    fps: float | None,
) -> None:
    """A video of all fitted frames with mesh and landmarks drawn over them; where `fps` is None, 25 a second.

    Raises:
        DataError: it cannot be written.
    """

    def frames() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        cached = CachedFrames(videos)
        flame = Flame(assets, torch.as_tensor(result.shape))
        names = [f"{video.path.stem} {number}" for video in videos for number in video.time]
        for index, name in enumerate(track(names, "frames of the overlay drawn")):
            row = slice(index, index + 1)
            head = HeadParameters(torch.as_tensor(result.expression[row]), torch.as_tensor(result.pose[row]))
            with torch.no_grad():
                vertices = flame.vertices(head)[0].double().numpy() + result.translation[index]
            label = f"{name}: {100 * result.relative_error[index]:.1f} %"
            yield overlay_frame(
                cached[index].image,
                vertices / HEAD_SCALE,
                assets.faces,
                (result.focal, *observations.centre),
                np.concatenate([observations.landmarks[index], observations.irises[index]]),
                np.concatenate([result.landmarks[index], result.keypoints[index, -2:]]),
                label,
            )

    write_video(path, frames(), fps=fps or 25.0)


def overlay_frame(
    image: UInt8[np.ndarray, "h w 3"],
    camera_vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    intrinsics: tuple[float, float, float],
    detected: Float[np.ndarray, "d 2"],
    fitted: Float[np.ndarray, "l 2"],
    label: str,
) -> UInt8[np.ndarray, "h w2 3"]:
    """The image, and beside it the same with mesh, detections (red), fitted landmarks (green) and a label.

    Args:
        camera_vertices: posed vertices in the camera's frame, looking along -z with y up.
        intrinsics: focal length and principal point in continuous pixels of the image.
        detected, fitted: continuous pixels.
    """
    focal, *centre = intrinsics
    depth = np.maximum(-camera_vertices[:, 2:], 1e-6)
    pixels = np.array(centre) + focal * camera_vertices[:, :2] * [1, -1] / depth - 0.5
    drawn = draw_mesh(image, camera_vertices, pixels, faces, largest=MESH_SIZE, cull=True)
    draw_points(drawn, detected, DETECTED)
    draw_points(drawn, fitted, FITTED)
    picture = np.concatenate([image, drawn], axis=1)
    scale = max(image.shape[0] / 1000, 0.35)
    for shift, tint in ((1, (0, 0, 0)), (0, (255, 255, 255))):
        place = (8 + shift, round(35 * scale) + 4 + shift)
        cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, tint, 1, cv2.LINE_AA)
    return picture


def draw_points(
    image: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "n 2"], colour: Int[np.ndarray, "3"]
) -> None:
    """Small squares at continuous pixels, drawn into the image; points outside are left out."""
    height, width = image.shape[:2]
    reach = np.arange(2 if max(height, width) >= 384 else 1)
    du, dv = (grid.ravel() for grid in np.meshgrid(reach, reach))
    u = np.floor(points[:, :1]).astype(int) + du
    v = np.floor(points[:, 1:]).astype(int) + dv
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    image[v[inside], u[inside]] = colour
