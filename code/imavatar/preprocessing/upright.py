"""Frames of a video as people stand: which way up a recording is whose file does not say, told by its faces."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from imavatar.data.video_file import open_video, read_frames
from imavatar.preprocessing.face_search import SeenFace
from imavatar.preprocessing.landmarks import Image

TURNS = 4
UPRIGHT_FRAMES, MOST_FRAMES = 3, 8
"""The search ends after so many frames whose faces are upright beyond doubt, or so many looked at in all ways."""
BETWEEN = 1.0
"""Seconds between two frames that are looked at; twice as many after each one without any face."""
SURE_SCORE, SURE_CERTAINTY = 0.8, 10.0
"""A face as it stands in the picture has 0.9 and 19 in the median; upside down it is taken for one that is the right
way up with 0.6 and 3."""
MOST_ROLL = np.pi / 4
CLEARLY = 1.3
"""How many times better another way up has to be."""


def upright_frames(path: Path, fps: float | None, turn: int) -> Iterator[tuple[int, Image]]:
    """Frames of a video and their numbers, turned by `turn` quarters counter-clockwise.

    Instants whose picture is left out have a number, and no frame.
    """
    for number, frame in enumerate(open_video(path).frames(fps)):
        if frame.image is not None:
            yield number, turned(frame.image, turn)


def turned(rgb: Image, turn: int) -> UInt8[np.ndarray, "r c 3"]:
    """A picture turned by quarters counter-clockwise."""
    return np.ascontiguousarray(np.rot90(rgb, turn)) if turn else rgb


def find_turn(path: Path, search: Callable[..., list[SeenFace]], fps: float | None) -> int:
    """By how many quarters, counter-clockwise, a recording has to be turned; 0 unless another way is clearly better.

    Args:
        search: picture, `thorough` -> its faces.
        fps: frames a second that are read of the video; None: all, about 25.
    """
    interval, following, n_upright, merits = max(1, round(BETWEEN * (fps or 25.0))), 0, 0, []
    for number, frame in enumerate(read_frames(path, fps=fps)):
        if number < following:
            continue
        as_it_is = search(frame, thorough=True)
        if any(_is_sure(face) for face in as_it_is):
            n_upright += 1
        else:
            others = [search(turned(frame, turn), thorough=True) for turn in range(1, TURNS)]
            merits.append([_merit(faces) for faces in (as_it_is, *others)])
            interval *= 1 if any(merits[-1]) else 2
        following = number + interval
        if n_upright == UPRIGHT_FRAMES or len(merits) == MOST_FRAMES:
            break
    # Frames that are beyond doubt speak for the picture as it is.
    if n_upright or not merits:
        return 0
    mean = np.mean(merits, axis=0)
    best = int(mean.argmax())
    return best if mean[best] > CLEARLY * mean[0] else 0


def _is_sure(face: SeenFace) -> bool:
    return face.score > SURE_SCORE and face.certainty > SURE_CERTAINTY and abs(face.roll) < MOST_ROLL


def _merit(faces: list[SeenFace]) -> float:
    """From 0 to 1: how well the best face that stands upright in the picture is one."""
    standing = [face for face in faces if abs(face.roll) < MOST_ROLL]
    return max((f.score * float(np.clip(f.certainty / SURE_CERTAINTY, 0, 1)) for f in standing), default=0.0)
