"""Tracks recordings that are there already: their images are kept, and the fit goes into a JSON file of its own."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from imavatar.assets import assets_dir
from imavatar.data.images import read_colour, read_grey
from imavatar.data.subject import JSON_NAME, FrameRecord, Inside, load_recording
from imavatar.data.subject_writer import frame_entry, write_recording
from imavatar.data.workplace import alone, remove_leftovers, subject_lock
from imavatar.errors import DataError
from imavatar.head.assets import OPEN_HEAD_FILE, load_head
from imavatar.numerics.device import choose_device
from imavatar.preprocessing.appearance import Pictures
from imavatar.preprocessing.detectors import MEASURED, head_landmarks, landmarker, observe
from imavatar.preprocessing.feature_tracks import skull_tracker
from imavatar.preprocessing.frame_quality import MIN_FRAMES
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.recording_files import file_intrinsics, tracked_frame
from imavatar.preprocessing.tracking import check_fit, fit_head
from imavatar.progress import track


@dataclass(frozen=True)
class TrackedImages:
    """What was found: frames read and written, and the landmarks' errors of `TrackingResult.mean_errors`.

    `focal` is in pixels of the images.
    """

    frames_read: int
    frames_written: dict[str, int]
    errors: dict[str, float]
    focal: float

    def summary(self) -> str:
        """A line for the terminal."""
        return (
            f"{self.frames_read} frames read; landmarks off by {self.errors['error_px']:.2f} pixels, "
            f"{100 * self.errors['error_share']:.2f} % of the face's height; focal length {self.focal:.0f} pixels"
        )


def track_images(folder: Path, sub_dirs: list[str], json_name: str, head_path: Path | None = None) -> TrackedImages:
    """Fit the head to the images of a subject's recordings, all together, and write `<sub_dir>/<json_name>` in each.

    Nothing but the frames' names is taken from the recordings' own JSON files. Frames without a face, and those whose
    fit cannot be trusted, are left out.

    Args:
        folder: `<data_folder>/<subject>/<subject>`.
        head_path: file of the head model. None: the open head among the assets.

    Raises:
        BusyError: another process is working on the subject.
        DataError: the images cannot be read, differ in size, or show no face, or the fit as a whole cannot be trusted.
        AssetError: a model that is needed has not been fetched, or the head model's landmarks are missing.
    """
    if json_name == JSON_NAME:
        raise DataError(f"{json_name} holds what the recordings came with; choose another name for the fit's file")
    subject = folder.parent
    if not subject.is_dir():
        raise DataError(f"{subject}: does not exist, expected a subject's folder")
    with alone(subject_lock(subject.parent, subject.name), f"the tracking of {subject.name}"):
        for sub_dir in sub_dirs:
            remove_leftovers(folder / sub_dir)
        return _track(folder, sub_dirs, json_name, head_path or assets_dir() / OPEN_HEAD_FILE)


def _track(folder: Path, sub_dirs: list[str], json_name: str, head_path: Path) -> TrackedImages:
    assets = load_head(head_path)
    embedding, bias = head_landmarks(head_path, assets)
    frames = _frames(folder, sub_dirs)
    shown, faces, size = _detect(frames)
    if len(shown) < MIN_FRAMES:
        raise DataError(f"{folder}: a face was found in {len(shown)} of {len(frames)} frames; {MIN_FRAMES} are needed")
    observations = observe(faces, [frames[k][0] for k in shown], shown, size)
    records = [frames[k][1] for k in shown]
    features = skull_tracker(
        lambda index: read_grey(records[index].image_path, "image"),
        lambda index: _labels(records[index].semantic_path, size),
        observations.landmarks,
        observations.video,
    )
    pictures = Pictures(
        lambda index: read_colour(records[index].image_path, "image"),
        lambda index: read_grey(records[index].semantic_path, "semantic map"),
    )
    device = choose_device()
    result = fit_head(observations, assets, embedding, bias=bias, features=features, pictures=pictures, device=device)
    check_fit(result, observations)
    written = {}
    for number, sub_dir in enumerate(sub_dirs):
        rows = np.flatnonzero((observations.video == number) & result.valid).tolist()
        if not rows:
            raise DataError(f"{folder / sub_dir}: no frame could be fitted")
        entries = [frame_entry(records[row].name, tracked_frame(row, observations, result)) for row in rows]
        intrinsics = file_intrinsics(result.focal, observations)
        split = load_recording(folder / sub_dir).split
        write_recording(folder / sub_dir / json_name, entries, intrinsics, result.shape, split)
        written[sub_dir] = len(rows)
    return TrackedImages(len(frames), written, result.mean_errors(), result.focal)


def _frames(folder: Path, sub_dirs: list[str]) -> list[tuple[int, FrameRecord]]:
    """All frames, each with the number of its recording; their files are in the recordings' folders."""
    frames = [
        (number, record)
        for number, sub_dir in enumerate(sub_dirs)
        for record in load_recording(folder / sub_dir).frames
    ]
    inside = Inside()
    for _, record in frames:
        for path in (record.image_path, record.mask_path, record.semantic_path):
            inside.check(path, record.folder)
    return frames


def _labels(path: Path, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """A semantic map at the images' height and width, which it need not have itself."""
    labels, (height, width) = read_grey(path, "semantic map"), size
    if labels.shape == size:
        return labels
    return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)


def _detect(frames: list[tuple[int, FrameRecord]]) -> tuple[list[int], list[FaceLandmarks], tuple[int, int]]:
    """Frames that show a face, its landmarks, and the height and width of all images.

    A recording's frames follow each other.

    Raises:
        DataError: an image cannot be read, or differs in size from the first one.
    """
    detector, shown, faces, recording = landmarker(MEASURED), [], [], None
    first = frames[0][1].image_path
    height, width = read_colour(first, "image").shape[:2]
    for k, (number, record) in enumerate(track(frames, "images analysed")):
        if number != recording:
            detector.reset()
            recording = number
        image = read_colour(record.image_path, "image")
        if image.shape[:2] != (height, width):
            raise DataError(
                f"{record.image_path}: the image has {image.shape[1]} x {image.shape[0]} pixels, expected {width} x "
                f"{height} as of {first}: one camera is fitted to all"
            )
        found = detector.detect(image)
        if found is not None:
            shown.append(k)
            faces.append(found)
    return shown, faces, (height, width)
