"""A tracked head against what a detector sees in the images, where nothing is known to be true."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from imavatar.data.images import read_colour
from imavatar.data.subject import load_recording
from imavatar.errors import DataError
from imavatar.evaluation.curves import compare_apertures, shake
from imavatar.head.apertures import apertures
from imavatar.head.landmarks import N_LANDMARKS, LandmarkEmbedding
from imavatar.head.mesh_points import (
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_BROW,
    RIGHT_EYE,
)
from imavatar.preprocessing.landmarks import PIXEL_CENTRE, FaceLandmarker, FaceLandmarks
from imavatar.progress import track
from imavatar_lab.tracking.head_track import HeadRegions, HeadTrack

LANDMARK_REGIONS = {
    "lids": (*RIGHT_EYE, *LEFT_EYE),
    "lips": (*LIPS_OUTER, *LIPS_INNER),
    "brows": (*RIGHT_BROW, *LEFT_BROW),
    "oval": FACE_OVAL,
}
"""All other landmarks are the rest."""
STEADY = 0.0015
"""Of the face's height: a standard deviation below which a curve has nothing that could be correlated with."""


@dataclass(frozen=True)
class ClipScores:
    """Of one recording. `values`, all but counts and correlations in shares of the face's height:

    - lids, irises, lips, brows, oval, rest: mean distance of the head's landmarks from the detected ones
    - lid_error, lip_error: of the apertures; lid_correlation, lip_correlation: of their curves with the detected ones
    - blinks_true (detected), blinks_found, blinks_invented: counts over both eyes
    - jitter: root mean square of the second differences of the projected landmarks, less the detections'
    """

    values: dict[str, float | None]
    time: Int[np.ndarray, " n"]
    tracked: Float[np.ndarray, "n 3"]
    detected: Float[np.ndarray, "n 3"]


def detect_faces(folder: Path, names: Sequence[str], detector: FaceLandmarker) -> list[FaceLandmarks | None]:
    """The detections in a recording's images, of the frames named, None where no face is found.

    Raises:
        DataError: an image cannot be read.
    """
    records = {frame.name: frame for frame in load_recording(folder).frames}
    detector.reset()
    return [
        detector.detect(read_colour(records[name].image_path, "image"))
        for name in track(list(names), f"frames of {folder.name} looked at")
    ]


def score_clip(
    tracked: HeadTrack,
    found: Sequence[FaceLandmarks | None],
    faces: np.ndarray,
    regions: HeadRegions,
    embedding: LandmarkEmbedding,
    size: int,
) -> ClipScores:
    """Scores of a recording; frames without a detection don't count.

    Args:
        found: of each frame.
        faces: [f, 3] of the head's mesh.
        size: side of the images, pixels.

    Raises:
        DataError: no frame has a detection.
    """
    rows = [k for k, face in enumerate(found) if face is not None]
    if not rows:
        raise DataError("no face is found in any frame: there is nothing to compare the tracked head with")
    seen = [face for face in found if face is not None]
    track = tracked.at(rows)
    landmarks, pupils = projected_landmarks(track, faces, regions, embedding, size)
    detected = np.stack([face.points for face in seen]) + PIXEL_CENTRE
    irises = np.stack([face.irises[:, 0] for face in seen]) + PIXEL_CENTRE
    height = np.ptp(detected[..., 1], axis=1)
    distance = np.linalg.norm(landmarks - detected, axis=-1) / height[:, None]
    curves = [apertures(points) / height[:, None] for points in (landmarks, detected)]
    rest = np.setdiff1d(np.arange(N_LANDMARKS), np.concatenate([np.array(p) for p in LANDMARK_REGIONS.values()]))
    values: dict[str, float | None] = {
        **{name: float(distance[:, list(points)].mean()) for name, points in LANDMARK_REGIONS.items()},
        "rest": float(distance[:, rest].mean()),
        "irises": float((np.linalg.norm(pupils - irises, axis=-1) / height[:, None]).mean()),
        **compare_apertures(*curves, track.time, steady=STEADY),
        "jitter": shake(landmarks / height[:, None, None], track.time)
        - shake(detected / height[:, None, None], track.time),
    }
    return ClipScores(values, track.time, *curves)


def projected_landmarks(
    track: HeadTrack, faces: np.ndarray, regions: HeadRegions, embedding: LandmarkEmbedding, size: int
) -> tuple[Float[np.ndarray, "n 468 2"], Float[np.ndarray, "n 2 2"]]:
    """Landmarks and pupils of the tracked head in continuous pixels."""
    points = embedding.points(torch.as_tensor(track.vertices), torch.as_tensor(faces)).numpy()
    index, weight = regions.pupils
    pupils = np.einsum("ep,nepx->nex", weight, track.vertices[:, index])
    return tuple(size * track.in_image(values) + PIXEL_CENTRE for values in (points, pupils))
