"""From videos of a person to the folders that training reads: decode, analyse, fit, write, and report."""

import contextlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Int

from imavatar.data.workplace import alone, subject_lock, write_errors
from imavatar.errors import DataError
from imavatar.files.atomic import write_text
from imavatar.head.assets import load_head
from imavatar.numerics.device import choose_device
from imavatar.preprocessing.appearance import Pictures
from imavatar.preprocessing.detectors import MEASURED, head_landmarks, landmarker, observe
from imavatar.preprocessing.face_identity import FaceIdentity
from imavatar.preprocessing.face_search import FaceSearch
from imavatar.preprocessing.face_texture import FaceTexture
from imavatar.preprocessing.feature_tracks import skull_tracker
from imavatar.preprocessing.footage import choose_footage
from imavatar.preprocessing.frame_analysis import AnalysedVideo, CachedFrames, analyse_video, find_landmarks
from imavatar.preprocessing.frame_cache import FrameCache, check_room
from imavatar.preprocessing.frame_choice import choose_frames
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.recording_files import (
    held_out,
    keeps_videos_apart,
    video_of_frames,
    write_overlay,
    write_recordings,
)
from imavatar.preprocessing.replacement import discard_new, finish_replacements, new_folder, replace_folder
from imavatar.preprocessing.report import REPORT_NAME, PreprocessReport, describe_request, existing_report
from imavatar.preprocessing.segmentation import segmenter
from imavatar.preprocessing.survey import FaceTellers
from imavatar.preprocessing.tracking import MAX_ERROR, TrackingResult, check_fit, fit_head
from imavatar.preprocessing.user_report import report_to_user
from imavatar.preprocessing.usual_lens import lens_of


def preprocess(options: PreprocessOptions) -> PreprocessReport:
    """Make `<out>/<subject>/<subject>/<sub_dir>` from videos; a second call with the same request does nothing.

    The subject's folder appears complete or not at all. What killed calls have left of it is removed, or finished where
    they were about to replace the folder.

    Raises:
        BusyError: another process is working on the subject.
        DataError: the request cannot be carried out, the folder holds another subject or cannot be written.
        AssetError: a model that is needed has not been fetched.
    """
    options.check()
    target = options.target
    request = describe_request(options)
    if done := existing_report(target, request, options.overwrite):
        return done
    with alone(subject_lock(options.out, options.subject), f"the preprocessing of {options.subject}"):
        try:
            finish_replacements(target)
        except OSError as error:
            raise DataError(f"{target}: cannot be put in order after a killed process ({error})") from error
        # Another process may just have made it, or have been killed while it replaced it.
        return existing_report(target, request, options.overwrite) or _make(options, request)


def _make(options: PreprocessOptions, request: dict) -> PreprocessReport:
    """Make the subject's folder; what was there is replaced at the end."""
    started = time.monotonic()
    with write_errors(options.out, "choose another folder with --out"):
        partial = new_folder(options.target)
    try:
        report = _preprocess_into(partial, options)
        report = replace(report, request=request, seconds=round(time.monotonic() - started, 1))
        write_text(partial / REPORT_NAME, json.dumps(asdict(report), indent=1))
        try:
            replace_folder(partial, options.target)
        except OSError as error:
            raise DataError(f"{options.target}: cannot be replaced ({error.strerror})") from error
    finally:
        discard_new(partial)
    return report


def _preprocess_into(folder: Path, options: PreprocessOptions) -> PreprocessReport:
    """Everything but the bookkeeping, in an empty folder."""
    detector, segment = landmarker(options.landmarks), segmenter(options.semantics, options.matting)
    assets = load_head(options.head_path)
    embedding, bias = head_landmarks(options.head_path, assets)
    frontal = embedding.points(torch.as_tensor(assets.v_template)[None], torch.as_tensor(assets.faces))[0]
    frontal = frontal.double().numpy()
    texture = FaceTexture(frontal[:, :2] * [1, -1])
    footage = choose_footage(options, FaceTellers(FaceSearch(), texture, FaceIdentity(frontal)))
    with contextlib.ExitStack() as stack:
        videos = []
        for index, part in enumerate(footage):
            cache = stack.enter_context(FrameCache(folder / f"frames-{index}.raw", options.size))
            videos.append(AnalysedVideo.begun(part, cache, options.fps))
            detector.reset()
            find_landmarks(videos[-1], part.face, detector.detect, texture)
        _thin_out(videos, options)
        check_room(folder, sum(len(video.time) for video in videos), options.size)
        for video in videos:
            analyse_video(video, segment, segment.reset)
        observations = _observations(videos)
        lens = lens_of(options, videos[0])
        frames = CachedFrames(videos)
        features = skull_tracker(
            lambda index: cv2.cvtColor(frames[index].image, cv2.COLOR_RGB2GRAY),
            lambda index: frames[index].semantic,
            observations.landmarks,
            observations.video,
        )
        bias = bias if options.landmarks == MEASURED else None
        pictures = Pictures(lambda index: frames[index].image, lambda index: frames[index].semantic)
        result = fit_head(
            observations,
            assets,
            embedding,
            bias=bias,
            lens=lens,
            features=features,
            pictures=pictures,
            device=choose_device(),
        )
        check_fit(result, observations)
        _check_valid(videos, result)
        n_written = write_recordings(folder / options.subject, videos, observations, result, options.split)
        overlay = folder / "overlay.mp4"
        write_overlay(overlay, videos, observations, result, assets, options.fps)
        report = PreprocessReport.of(videos, result, n_written, options)
        return report_to_user(overlay, report, videos, observations, result, fps=options.fps)


def _thin_out(videos: list[AnalysedVideo], options: PreprocessOptions) -> None:
    """Use at most so many frames of all videos together."""
    clip, of_video, count = _clips(videos), video_of_frames(videos), options.max_frames
    if count is None or len(clip) <= count:
        return
    points = [face.points for video in videos for face in video.landmarks]
    held = np.zeros(len(clip), dtype=bool)
    if not keeps_videos_apart(videos, options.split):
        held = held_out(videos, np.arange(len(clip)), options.split)
    chosen = choose_frames(points, clip, count, held)
    first = np.searchsorted(of_video, np.arange(len(videos)))
    for k, video in enumerate(videos):
        video.keep((chosen[of_video[chosen] == k] - first[k]).tolist())


def _clips(videos: list[AnalysedVideo]) -> Int[np.ndarray, " n"]:
    """The number of each used frame's clip: what one camera took without a cut."""
    clips = [np.unique(video.clip, return_inverse=True) for video in videos]
    first = np.cumsum([0, *(len(found) for found, _ in clips)])
    return np.concatenate([index + start for (_, index), start in zip(clips, first, strict=False)])


def _observations(videos: list[AnalysedVideo]) -> Observations:
    """The detections of all recordings as one problem."""
    centres = np.array([video.principal_point for video in videos])
    size = videos[0].cache.size
    if np.abs(centres - centres[0]).max() > 0.01 * size:
        raise DataError(
            "the videos differ in size, so that the same crop lies differently in them, and they would need a camera "
            "each; preprocess them without --crop, or bring them to one size first"
        )
    return observe(
        [landmarks for video in videos for landmarks in video.landmarks],
        video=_clips(videos),
        time=np.concatenate([video.steps for video in videos]),
        size=(size, size),
        principal_point=videos[0].principal_point,
    )


def _check_valid(videos: list[AnalysedVideo], result: TrackingResult) -> None:
    """Raise where a good part of a recording could not be fitted."""
    of_video = video_of_frames(videos)
    for k, video in enumerate(videos):
        valid = result.valid[of_video == k]
        if valid.mean() < 0.5:
            raise DataError(
                f"{video.path}: the fit is off by more than {100 * MAX_ERROR:.0f} % of the face's height in "
                f"{(~valid).sum()} of {len(valid)} frames; try --crop x,y,side or --focal PX"
            )
