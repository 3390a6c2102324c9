"""Tracks synthetic people and real clips, and scores what was found."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from imavatar.data.images import read_grey
from imavatar.data.subject import JSON_NAME, load_recording
from imavatar.head.assets import HeadAssets, find_head, load_head
from imavatar.head.landmarks import LandmarkEmbedding, embedding_path, load_embedding
from imavatar.preprocessing.landmarks import FaceLandmarker
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.pipeline import preprocess
from imavatar.preprocessing.track_images import track_images
from imavatar.synthetic.generator import make_synthetic
from imavatar.synthetic.sequences import TRAIN
from imavatar.synthetic.settings import SubjectSettings, random_people
from imavatar_lab.tracking.clip_scores import detect_faces, score_clip
from imavatar_lab.tracking.head_track import HeadRegions, joined, tracked_head, true_head
from imavatar_lab.tracking.scores import score_track

BUILT_IN = "synthetic"
TRACKED_JSON = "flame_params_tracked.json"


@dataclass(frozen=True)
class Evaluated:
    """Of one subject: its numbers, and the curves of its apertures, tracked and true (or detected)."""

    name: str
    values: dict[str, float | None]
    time: Int[np.ndarray, " n"]
    tracked: Float[np.ndarray, "n 3"]
    reference: Float[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Head:
    """The head model that is tracked, and what is known of its mesh."""

    path: Path
    assets: HeadAssets
    embedding: LandmarkEmbedding
    regions: HeadRegions

    @classmethod
    def load(cls, name: str = "open") -> "Head":
        """A head model by name or path.

        Raises:
            AssetError: it, or its landmarks, cannot be read.
        """
        path = find_head(name)
        assets = load_head(path)
        embedding = load_embedding(embedding_path(path), assets)
        return cls(path, assets, embedding, HeadRegions.of(assets, embedding))


def synthetic_folders(out: Path, n_people: int, n_frames: int, size: int, samples: int, workers: int) -> list[Path]:
    """Folders of random people and of the built-in subject, rendered where they are not there."""
    people = random_people(n_people, frames={TRAIN: n_frames}, size=size, samples=samples, seed=0)
    built_in = SubjectSettings(BUILT_IN, {TRAIN: n_frames}, size=size, samples=samples)
    return make_synthetic(out, [*people, built_in], workers=workers)


def evaluate_synthetic(folder: Path, head: Head) -> Evaluated:
    """Track a synthetic subject from its images alone, and compare with the truth.

    Args:
        folder: `<data_folder>/<subject>/<subject>`.

    Raises:
        DataError: the data cannot be read or tracked.
    """
    recording = folder / TRAIN
    started = time.monotonic()
    found = track_images(folder, [TRAIN], TRACKED_JSON, head.path)
    seconds = time.monotonic() - started
    tracked = tracked_head(recording, TRACKED_JSON, head.assets)
    true = true_head(recording, head.assets).rows(tracked.names)
    scores = score_track(tracked, true, head.assets.faces, head.regions, head.embedding, _side(recording))
    share = sum(found.frames_written.values()) / found.frames_read
    values = {**scores.values, "frames": share, "seconds": seconds}
    return Evaluated(folder.name, values, true.time, scores.tracked, scores.true)


def evaluate_clip(video: Path, out: Path, head: Head, size: int) -> Evaluated:
    """Preprocess a real clip as a user would, without options, and compare with what the detector sees.

    Args:
        out: a data folder; the clip's subject there is made anew.

    Raises:
        DataError: the clip cannot be read or tracked.
    """
    options = PreprocessOptions(video.stem, (video,), out, size=size, head=head.path, overwrite=True)
    report = preprocess(options)
    parts = [options.target / options.subject / name for name in report.frames_written]
    tracked = [tracked_head(part, JSON_NAME, head.assets) for part in parts]
    detector = FaceLandmarker()
    seen = [face for part, t in zip(parts, tracked, strict=True) for face in detect_faces(part, t.names, detector)]
    scores = score_clip(joined(tracked), seen, head.assets.faces, head.regions, head.embedding, size)
    share = report.frames_tracked / report.frames_read
    values = {**scores.values, "frames": share, "seconds": report.seconds}
    return Evaluated(video.stem, values, scores.time, scores.tracked, scores.detected)


def _side(recording: Path) -> int:
    """Of a recording's square images, pixels."""
    return read_grey(load_recording(recording).frames[0].mask_path, "mask").shape[0]
