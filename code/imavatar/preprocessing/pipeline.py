"""From videos of a person to the folders that training reads: decode, analyse, fit, write, and report."""

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from imavatar.data.workplace import alone, subject_lock
from imavatar.errors import DataError
from imavatar.files.locks import LOCK_FILE
from imavatar.head.assets import OPEN_HEAD_FILE, HeadAssets, load_head
from imavatar.head.landmarks import (
    LandmarkEmbedding,
    compute_embedding,
    embedding_path,
    load_embedding,
    save_embedding,
)
from imavatar.names import NAME_RULE, is_name, shown
from imavatar.preprocessing.detectors import (
    PIXEL_CENTRE,
    eye_openness,
    iris_centres,
    landmarker,
    single_image_detector,
)
from imavatar.preprocessing.feature_tracks import FeatureTracker, rigid_region
from imavatar.preprocessing.fit_problem import Observations
from imavatar.preprocessing.frame_analysis import AnalysedVideo, Crop, analyse_video
from imavatar.preprocessing.frame_cache import FrameSpool, SpooledFrame
from imavatar.preprocessing.matting import Matting
from imavatar.preprocessing.recording_files import write_overlay, write_recordings
from imavatar.preprocessing.replacement import discard_new, finish_replacements, new_folder, replace_folder
from imavatar.preprocessing.report import PreprocessReport, describe_request, existing_report
from imavatar.preprocessing.tracking import MAX_ERROR, TrackingResult, check_fit, track

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and how much there is (None: not known)."""

MIN_SIZE = 64
GREY_FRAMES = 400
"""Grey images kept in memory, a quarter of a megabyte each at 512 pixels."""


@dataclass(frozen=True)
class PreprocessOptions:
    """What the user asks for.

    `focal` and `crop` are in pixels of the video; without `crop` the largest square in the middle is
    taken. `head` is the head model's file; None is the open head among the assets.
    """

    subject: str
    videos: tuple[Path, ...]
    out: Path
    size: int = 512
    fps: float | None = 25.0
    focal: float | None = None
    crop: tuple[int, int, int] | None = None
    landmarks: str = "mediapipe"
    overwrite: bool = False
    head: Path | None = None


def preprocess(options: PreprocessOptions, *, assets_dir: Path, progress: Progress | None = None) -> PreprocessReport:
    """Make `<out>/<subject>/<subject>/<sub_dir>` from videos; a second call with the same request does nothing.

    The subject's folder appears complete or not at all. What killed calls have left of it is removed, or finished where
    they were about to replace the folder.

    Raises:
        BusyError: another process is working on the subject.
        DataError: the request cannot be carried out, the folder holds another subject or cannot be written.
    """
    check_options(options)
    progress = progress or (lambda task, done, total: None)
    head_path = head_path_of(options, assets_dir)
    target = options.out / options.subject
    request = describe_request(options, head_path)
    done = _done(target, request, options.overwrite)
    if done is None:
        with alone(subject_lock(options.out, options.subject), f"the preprocessing of {options.subject}"):
            _tidy(target)
            # Another process may just have made it, or have been killed while it replaced it.
            done = _done(target, request, options.overwrite)
            if done is None:
                done = _make(target, request, options, assets_dir, head_path, progress)
    return done


def _done(target: Path, request: dict, overwrite: bool) -> PreprocessReport | None:
    done = existing_report(target, request, overwrite)
    if done is not None:
        logger.info("%s: already made from the same videos with the same options", target)
    return done


def _tidy(target: Path) -> None:
    try:
        finish_replacements(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be put in order after a killed process ({error})") from error


def _make(
    target: Path,
    request: dict,
    options: PreprocessOptions,
    assets_dir: Path,
    head_path: Path,
    progress: Progress,
) -> PreprocessReport:
    """Make the subject's folder; what was there is replaced at the end."""
    started = time.monotonic()
    try:
        partial = new_folder(target)
    except OSError as error:
        raise DataError(
            f"{options.out}: cannot be written ({error.strerror}); choose another folder with --out"
        ) from error
    try:
        report = _preprocess_into(partial, options, assets_dir, head_path, progress)
        report = report.finished(request, time.monotonic() - started)
        report.save(partial)
        _replace(partial, target)
    finally:
        discard_new(partial)
    return report


def head_path_of(options: PreprocessOptions, assets_dir: Path) -> Path:
    """File of the head model that is fitted."""
    return options.head or assets_dir / OPEN_HEAD_FILE


def check_options(options: PreprocessOptions) -> None:
    """Raise where a request cannot be carried out, before anything is read."""
    if not is_name(options.subject):
        raise DataError(f"subject '{shown(options.subject)}': expected {NAME_RULE}; it becomes a folder's name")
    if not options.videos:
        raise DataError("no video given; name at least one with --video")
    for path in options.videos:
        if not path.is_file():
            raise DataError(f"{path}: no such video file")
    stems = [path.stem for path in options.videos]
    if len(set(stems)) < len(stems):
        raise DataError(
            f"the videos' names {', '.join(stems)} are not all different, but each becomes a folder; rename one"
        )
    if options.size < MIN_SIZE or options.size % 2:
        raise DataError(f"size {options.size}: expected an even number of pixels, at least {MIN_SIZE}")
    for name in ("fps", "focal"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise DataError(f"{name} {value}: expected a positive number")


def _preprocess_into(
    folder: Path,
    options: PreprocessOptions,
    assets_dir: Path,
    head_path: Path,
    progress: Progress,
) -> PreprocessReport:
    """Everything but the bookkeeping, in an empty folder."""
    detector, matting = landmarker(options.landmarks, assets_dir), Matting(assets_dir)
    assets = load_head(head_path)
    embedding = _embedding(head_path, assets, assets_dir, progress)
    with contextlib.ExitStack() as stack:
        videos = []
        for index, path in enumerate(options.videos):
            spool = stack.enter_context(FrameSpool(folder / f"frames-{index}.raw", options.size))
            detector.reset()
            video = analyse_video(
                path,
                spool,
                detector,
                matting,
                crop=Crop(*options.crop) if options.crop else None,
                fps=options.fps,
                progress=lambda done, name=path.name: progress(f"analysing {name}", done, None),
            )
            videos.append(video)
        observations = observe(videos)
        focal = options.focal * videos[0].scale if options.focal else None
        features = feature_tracker(videos, observations)
        result = track(
            observations,
            assets,
            embedding,
            focal=focal,
            features=features,
            progress=lambda done, total: progress("fitting the head", done, total),
        )
        check_fit(result, observations)
        _check_valid(videos, result)
        recordings = folder / options.subject
        n_written = write_recordings(recordings, videos, observations, result, progress)
        write_overlay(folder / "overlay.mp4", videos, observations, result, assets, options.fps, progress)
    return PreprocessReport.of(videos, observations, result, n_written, options.focal is None)


def observe(videos: list[AnalysedVideo]) -> Observations:
    """The detections of all recordings as one problem."""
    centres = np.array([video.principal_point for video in videos])
    size = videos[0].spool.size
    if np.abs(centres - centres[0]).max() > 0.01 * size:
        raise DataError(
            "the videos differ in size, so that the same crop lies differently in them; preprocess "
            "them without --crop, or bring them to one size first"
        )
    found = [landmarks for video in videos for landmarks in video.landmarks]
    return Observations(
        landmarks=np.stack([f.points for f in found]) + PIXEL_CENTRE,
        irises=np.stack([iris_centres(f) for f in found]),
        iris_weight=np.stack([eye_openness(f.points) for f in found]),
        video=np.concatenate([np.full(len(v.time), k) for k, v in enumerate(videos)]),
        time=np.concatenate([v.time for v in videos]),
        size=(size, size),
        principal_point=videos[0].principal_point,
    )


def feature_tracker(videos: list[AnalysedVideo], observations: Observations) -> FeatureTracker:
    """Follows features of the skull through the spooled frames; keeps the grey images that are needed at a time."""
    first_of_video = np.searchsorted(observations.video, np.arange(len(videos)))

    def frame(index: int) -> SpooledFrame:
        video = observations.video[index]
        return videos[video].spool[int(index - first_of_video[video])]

    @functools.lru_cache(maxsize=GREY_FRAMES)
    def grey(index: int) -> np.ndarray:
        return cv2.cvtColor(frame(index).image, cv2.COLOR_RGB2GRAY)

    def region(index: int) -> np.ndarray:
        return rigid_region(frame(index).semantic, observations.landmarks[index] - PIXEL_CENTRE)

    return FeatureTracker(grey, region, observations.video)


def _check_valid(videos: list[AnalysedVideo], result: TrackingResult) -> None:
    """Raise where a good part of a recording could not be fitted."""
    start = 0
    for video in videos:
        valid = result.valid[start : start + len(video.time)]
        start += len(video.time)
        if valid.mean() < 0.5:
            raise DataError(
                f"{video.path}: the fit is off by more than {100 * MAX_ERROR:.0f} % of the face's height in "
                f"{(~valid).sum()} of {len(valid)} frames; try --crop x,y,side or --focal PX"
            )


def _embedding(head_path: Path, assets: HeadAssets, assets_dir: Path, progress: Progress) -> LandmarkEmbedding:
    """The landmarks of the head in use; computed and kept beside it at the first use."""
    path = embedding_path(head_path)
    if path.is_file():
        return load_embedding(path, assets)
    with alone(path.with_name(LOCK_FILE), "the search for a head model's landmarks"):
        if path.is_file():  # made since by another process
            return load_embedding(path, assets)
        progress("finding the head model's landmarks", 0, None)
        detect = single_image_detector(landmarker("mediapipe", assets_dir))
        embedding = compute_embedding(assets, detect)
        save_embedding(path, embedding, assets)
    return embedding


def _replace(partial: Path, target: Path) -> None:
    try:
        replace_folder(partial, target)
    except OSError as error:
        raise DataError(f"{target}: cannot be replaced ({error.strerror})") from error
