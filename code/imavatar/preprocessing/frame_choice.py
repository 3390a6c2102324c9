"""Which of many frames are used: those that add most to what the others show.

Frames are taken in short runs, since the fit needs each frame's neighbours: they tell movement from the landmarks'
noise. A run is taken around the frame that is least like all that have been taken.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from imavatar.head.mesh_points import LEFT_EYE, LIPS_INNER, LIPS_OUTER, RIGHT_EYE

RUN = 9
"""Frames in a row that are taken together; odd."""
MOVING = (RIGHT_EYE, LEFT_EYE, (*LIPS_OUTER, *LIPS_INNER))
MOVING_WEIGHT = 3.0
"""Lids and lips against the whole face: they move less, and matter more."""
PLACE_WEIGHT = 0.5
"""Where the face is and how large, against how it looks."""


def view_features(landmarks: Float[np.ndarray, "n 468 2"]) -> Float[np.ndarray, "n f"]:
    """What is compared of frames: view and expression, lids and lips, and place; in sizes of the face."""
    centre = landmarks.mean(axis=1, keepdims=True)
    size = np.sqrt(((landmarks - centre) ** 2).sum(axis=2).mean(axis=1))[:, None, None]
    shape = (landmarks - centre) / size
    moving = [shape[:, list(loop)] - shape[:, list(loop)].mean(axis=1, keepdims=True) for loop in MOVING]
    place = (centre[:, 0] - centre.mean(axis=0)[0]) / np.median(size)
    parts = [
        shape / np.sqrt(shape.shape[1]),
        *(MOVING_WEIGHT * part / np.sqrt(part.shape[1]) for part in moving),
        PLACE_WEIGHT * place[:, None],
        PLACE_WEIGHT * np.log(size / np.median(size)),
    ]
    return np.concatenate([part.reshape(len(landmarks), -1) for part in parts], axis=1).astype(np.float32)


def choose_diverse(
    features: Float[np.ndarray, "n f"], clip: Int[np.ndarray, " n"], count: int
) -> Int[np.ndarray, " k"]:
    """Indices of at most `count` frames in runs: the most usual one first, then always the farthest from all taken."""
    if len(features) <= count:
        return np.arange(len(features))
    taken = np.zeros(len(features), dtype=bool)
    distance = np.full(len(features), np.inf)
    centre = int(np.linalg.norm(features - np.median(features, axis=0), axis=1).argmin())
    while True:
        run = _run(centre, clip)
        new = [k for k in run if not taken[k]][: count - int(taken.sum())]
        taken[new] = True
        if taken.sum() >= count:
            return np.flatnonzero(taken)
        for k in new:
            distance = np.minimum(distance, np.linalg.norm(features - features[k], axis=1))
        centre = int(np.where(taken, -1.0, distance).argmax())


def choose_even(clip: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " k"]:
    """Indices of at most `count` frames in runs that are spread evenly."""
    if len(clip) <= count:
        return np.arange(len(clip))
    n_runs = max(1, count // RUN)
    middles = np.round((np.arange(n_runs) + 0.5) * len(clip) / n_runs - 0.5).astype(int)
    return np.unique(np.concatenate([_run(middle, clip) for middle in middles.tolist()]))[:count]


def choose_frames(
    landmarks: Sequence[Float[np.ndarray, "468 2"]],
    clip: Int[np.ndarray, " n"],
    count: int,
    held_out: Bool[np.ndarray, " n"],
) -> Int[np.ndarray, " k"]:
    """Indices of at most `count` frames of a subject, in order.

    Those that are held out for evaluation are spread evenly, so that they stand for all of their kind.

    Args:
        clip: of each frame; runs do not cross from one into another.
        held_out: whether a frame is; their share stays about the same.
    """
    if len(clip) <= count:
        return np.arange(len(clip))
    # Of a clip, what lies between two parts that are held out is a clip for the runs.
    part = np.cumsum(np.diff(clip, prepend=clip[0]).astype(bool) | np.diff(held_out, prepend=held_out[0]))
    train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    features = view_features(np.stack([landmarks[k] for k in train]))
    train = train[choose_diverse(features, part[train], round(count * len(train) / len(clip)))]
    return np.sort(np.concatenate([train, test[choose_even(part[test], count - len(train))]]))


def _run(centre: int, clip: Int[np.ndarray, " n"]) -> list[int]:
    """A frame and its neighbours in the same clip."""
    nearby = range(max(0, centre - RUN // 2), min(len(clip), centre + RUN // 2 + 1))
    return [k for k in nearby if clip[k] == clip[centre]]
