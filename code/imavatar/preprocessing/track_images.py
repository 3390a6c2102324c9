"""Tracks recordings that are there already: their images are kept, and the fit goes into a JSON file of its own."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from imavatar.data.images import read_colour, read_grey
from imavatar.data.subject import FrameRecord, Inside, load_recording
from imavatar.data.subject_writer import JSON_NAME, frame_entry, write_recording
from imavatar.data.workplace import alone, remove_leftovers, subject_lock
from imavatar.errors import DataError
from imavatar.head.assets import load_head
from imavatar.head.landmarks import embedding_path, load_embedding
from imavatar.preprocessing.detectors import PIXEL_CENTRE, eye_openness, iris_centres, landmarker
from imavatar.preprocessing.feature_tracks import FeatureTracker, rigid_region
from imavatar.preprocessing.fit_problem import Observations
from imavatar.preprocessing.frame_analysis import MIN_FRAMES
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.recording_files import file_intrinsics, to_file_range
from imavatar.preprocessing.tracking import TrackingResult, check_fit, track

Progress = Callable[[str, int, int | None], None]
GREY_FRAMES = 400


@dataclass(frozen=True)
class Retracked:
    """What was found: frames read and written, and the landmarks' errors of `TrackingResult.mean_errors`."""

    frames_read: int
    frames_written: dict[str, int]
    errors: dict[str, float]
    focal: float


def retrack(
    folder: Path,
    sub_dirs: list[str],
    *,
    assets_dir: Path,
    head_path: Path,
    json_name: str,
    progress: Progress,
) -> Retracked:
    """Fit the head to the images of a subject's recordings, all together, and write `<sub_dir>/<json_name>` in each.

    Nothing but the frames' names is taken from the recordings' own JSON files. Frames without a face, and those whose
    fit cannot be trusted, are left out.

    Args:
        folder: `<data_folder>/<subject>/<subject>`.

    Raises:
        BusyError: another process is working on the subject.
        DataError: the images cannot be read, differ in size, or show no face, or the fit as a whole cannot be trusted.
    """
    if json_name == JSON_NAME:
        raise DataError(f"{json_name} holds what the recordings came with; choose another name for the fit's file")
    subject = folder.parent
    if not subject.is_dir():
        raise DataError(f"{subject}: does not exist, expected a subject's folder")
    with alone(subject_lock(subject.parent, subject.name), f"the tracking of {subject.name}"):
        for sub_dir in sub_dirs:
            remove_leftovers(folder / sub_dir)
        return _retrack(folder, sub_dirs, assets_dir, head_path, json_name, progress)


def _retrack(
    folder: Path, sub_dirs: list[str], assets_dir: Path, head_path: Path, json_name: str, progress: Progress
) -> Retracked:
    assets = load_head(head_path)
    embedding = load_embedding(embedding_path(head_path), assets)
    records = [load_recording(folder / sub_dir).frames for sub_dir in sub_dirs]
    inside = Inside()
    for record in (record for part in records for record in part):
        for path in (record.image_path, record.mask_path, record.semantic_path):
            inside.check(path, record.folder)
    frames = [(number, record) for number, part in enumerate(records) for record in part]
    shown, faces = _detect(frames, assets_dir, progress)
    if len(shown) < MIN_FRAMES:
        raise DataError(f"{folder}: a face was found in {len(shown)} of {len(frames)} frames; {MIN_FRAMES} are needed")
    observations = _observations([frames[k][0] for k in shown], shown, faces, _size(frames[0][1]))
    result = track(
        observations,
        assets,
        embedding,
        features=_features([frames[k][1] for k in shown], observations),
        progress=lambda done, total: progress("fitting the head", done, total),
    )
    check_fit(result, observations)
    written = {}
    for number, sub_dir in enumerate(sub_dirs):
        rows = np.flatnonzero((observations.video == number) & result.valid)
        if len(rows) == 0:
            raise DataError(f"{folder / sub_dir}: no frame could be fitted")
        names = [frames[shown[row]][1].name for row in rows]
        entries = [_entry(name, row, observations, result) for name, row in zip(names, rows, strict=True)]
        intrinsics = file_intrinsics(result.focal, observations)
        write_recording(folder / sub_dir / json_name, entries, intrinsics, result.shape)
        written[sub_dir] = len(rows)
    return Retracked(len(frames), written, result.mean_errors(), result.focal)


def _detect(
    frames: list[tuple[int, FrameRecord]], assets_dir: Path, progress: Progress
) -> tuple[list[int], list[FaceLandmarks]]:
    """Frames that show a face, and its landmarks; a recording's frames follow each other."""
    detector, shown, faces, recording = landmarker("mediapipe", assets_dir), [], [], None
    for k, (number, record) in enumerate(frames):
        if number != recording:
            detector.reset()
            recording = number
        found = detector.detect(read_colour(record.image_path, "image"))
        if found is not None:
            shown.append(k)
            faces.append(found)
        progress("finding landmarks", k + 1, len(frames))
    return shown, faces


def _size(record: FrameRecord) -> tuple[int, int]:
    height, width = read_grey(record.mask_path, "mask").shape
    return height, width


def _observations(video: list[int], time: list[int], faces: list[FaceLandmarks], size: tuple[int, int]):
    return Observations(
        landmarks=np.stack([face.points for face in faces]) + PIXEL_CENTRE,
        irises=np.stack([iris_centres(face) for face in faces]),
        iris_weight=np.stack([eye_openness(face.points) for face in faces]),
        video=np.array(video),
        time=np.array(time),
        size=size,
    )


def _features(records: list[FrameRecord], observations: Observations) -> FeatureTracker:
    """Follows features of the skull through the recordings' images."""

    @functools.lru_cache(maxsize=GREY_FRAMES)
    def grey(index: int) -> UInt8[np.ndarray, "h w"]:
        return read_grey(records[index].image_path, "image")

    def region(index: int) -> np.ndarray:
        semantic = read_grey(records[index].semantic_path, "semantic map")
        return rigid_region(semantic, observations.landmarks[index] - PIXEL_CENTRE)

    return FeatureTracker(grey, region, observations.video)


def _entry(name: str, row: int, observations: Observations, result: TrackingResult) -> dict:
    size = observations.size[1]
    face = to_file_range(observations.landmarks[row], size)
    return frame_entry(
        name,
        world_mat=np.concatenate([np.eye(3), result.translation[row][:, None]], axis=1),
        expression=result.expression[row],
        pose=result.pose[row],
        keypoints=to_file_range(result.keypoints[row], size),
        bbox=np.concatenate([face.min(axis=0), face.max(axis=0)]),
    )
