"""Which frames are of use: what is measured of each, and the reasons to leave one out.

The bounds are wide. A frame that is left out wrongly costs less than one that is fitted wrongly, but the strongest
expressions and views are what an avatar needs most, and they look unusual.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from imavatar.preprocessing.landmarks import FaceLandmarks, Image, Points, box_of

HALF_OUTSIDE = "face half outside the picture"
COVERED = "face covered"
BLURRED = "blurred"
REPEATED = "repeated picture"

MIN_FRAMES = 20
"""Fewer of use are not a recording of a head."""
LEAST_INSIDE = 0.6
"""Of the landmarks."""
LEAST_SCORE, LEAST_LIKENESS = 0.9, 0.45
"""The landmark model is sure of faces of which half is covered. Their texture correlates with that of the recording by
0.3 to 0.6; by 0.82 and more where nothing covers the face, and by 0.7 where it is turned by 25 degrees."""
LEAST_SHARPNESS = 0.25
"""Of the recording's median: a blur over 3 % of the face's height leaves 0.3, one over 6 % leaves 0.2."""
FACE_PIXELS = 128
"""Side at which the sharpness of a face is measured, whatever the video's resolution."""
BLOCKS = 32
SAME_BLOCK = 0.5
"""Grey levels by which the mean of no block differs where a picture is shown again untouched."""
USUAL_CHANGE = 75
"""Percentile of the changes in a recording that is taken for its usual one: up to three frames of four are repeated."""
SAME_MEAN_SHARE, SAME_BLOCK_SHARE = 0.1, 0.25
"""Of the usual change, where a codec has refined the picture: 0.06 and 0.11 at most were seen, and 0.2 and 0.1 at least
between different frames."""


@dataclass(frozen=True)
class LeftOut:
    """A frame that is not used: its number in the video, the reason, and what was measured, where something was."""

    frame: int
    reason: str
    value: float | None = None


@dataclass(frozen=True)
class Change:
    """From one frame to the next: the mean difference in grey levels, and that of the block with the largest."""

    mean: float
    block: float

    @classmethod
    def between(cls, before: Image | None, now: Image) -> "Change":
        """Of two frames in a row; without end for the first of all."""
        if before is None:
            return cls(np.inf, np.inf)
        difference = cv2.absdiff(before, now).astype(np.float32).mean(axis=-1)
        blocks = cv2.resize(difference, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
        return cls(float(difference.mean()), float(blocks.max()))


@dataclass(frozen=True)
class Measures:
    """Of a frame with a face: the share of its landmarks in the picture, the model's score, how alike the recording's
    face it is, its sharpness, and how much the picture has changed.
    """

    inside: float
    score: float
    likeness: float
    sharpness: float
    change: Change

    @classmethod
    def of(cls, image: Image, face: FaceLandmarks, likeness: float, change: Change) -> "Measures":
        """Measure a frame."""
        height, width = image.shape[:2]
        inside = ((face.points >= -0.5) & (face.points <= [width - 0.5, height - 0.5])).all(axis=1)
        return cls(float(inside.mean()), face.score, likeness, sharpness(image, face.points), change)


def sharpness(image: Image, points: Points) -> float:
    """The variance of the Laplacian of the face at a fixed size; 0 outside the picture."""
    low_x, low_y, high_x, high_y = np.round(box_of(points)).astype(int)
    face = image[max(low_y, 0) : max(high_y, 0), max(low_x, 0) : max(high_x, 0)]
    if not face.size:
        return 0.0
    method = cv2.INTER_AREA if face.shape[0] > FACE_PIXELS else cv2.INTER_LINEAR
    small = cv2.resize(face, (FACE_PIXELS, FACE_PIXELS), interpolation=method)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def judge(measures: Sequence[Measures]) -> list[tuple[str, float | None] | None]:
    """Of each frame of a recording the reason to leave it out, with what was measured; None for those of use."""
    usual_sharpness = float(np.median([m.sharpness for m in measures])) if measures else 0.0
    known = [m.change for m in measures if np.isfinite(m.change.mean)]
    usual = Change(*(float(np.percentile([values], USUAL_CHANGE)) for values in _columns(known))) if known else None
    faults = []
    for m in measures:
        if usual is not None and _is_repeated(m.change, usual):
            faults.append((REPEATED, None))
        else:
            faults.append(_fault(m, m.sharpness / usual_sharpness if usual_sharpness > 0 else 1.0))
    return faults


def _columns(changes: Sequence[Change]) -> tuple[list[float], list[float]]:
    return [change.mean for change in changes], [change.block for change in changes]


def _is_repeated(change: Change, usual: Change) -> bool:
    """Whether a frame shows the picture before it again, but for what a codec adds."""
    little = change.mean < SAME_MEAN_SHARE * usual.mean and change.block < SAME_BLOCK_SHARE * usual.block
    return little or change.block < SAME_BLOCK


def _fault(measures: Measures, relative_sharpness: float) -> tuple[str, float] | None:
    for reason, value, least in (
        (HALF_OUTSIDE, measures.inside, LEAST_INSIDE),
        (COVERED, measures.score, LEAST_SCORE),
        (COVERED, measures.likeness, LEAST_LIKENESS),
        (BLURRED, relative_sharpness, LEAST_SHARPNESS),
    ):
        if value < least:
            return reason, round(value, 3)
    return None


def counts_by_reason(left_out: Sequence[LeftOut]) -> dict[str, int]:
    """How many frames are left out for each reason, the most frequent first."""
    return dict(Counter(frame.reason for frame in left_out).most_common())


def spread_over_reasons(left_out: Sequence[LeftOut], most: int) -> list[int]:
    """Numbers of at most so many frames, of all reasons, spread over the recording."""
    reasons = counts_by_reason(left_out)
    chosen = []
    for reason in reasons:
        frames = [frame.frame for frame in left_out if frame.reason == reason]
        index: Float[np.ndarray, " k"] = np.linspace(0, len(frames) - 1, min(len(frames), most // len(reasons)))
        chosen += [frames[k] for k in np.round(index).astype(int)]
    return sorted(chosen)
