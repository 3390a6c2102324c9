"""How the body moves in the image: by the outline of the clothes, which the head's landmarks say nothing of.

A head that nods about a still neck looks much like one that is carried up and down, and one that is tilted like a body
that leans. The shoulders tell them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from imavatar.anatomy import ParsingLabel

ROWS = 128
"""Height in pixels of the label maps that are compared."""
BLUR = 2.0
"""Pixels of these: standard deviation by which outlines are softened."""
SHOULDERS = (ParsingLabel.BACKGROUND, ParsingLabel.CLOTH)
OFTEN, MARGIN = 0.05, 4
"""Share of the frames in which something else is where clothes may be; pixels of the small maps around it that are left
out, too."""
NECK = 0.1
"""Share of the clothes' pixels that lie above the pivot: about where the neck comes out of them."""
REACH = 0.3
"""Of the picture's width: how far from the pivot a turn is counted in pixels, about half the shoulders' width."""
LEAST_OUTLINE = 2.0
"""Sum of squared slopes, about twenty pixels of an outline, that hold a motion where it was."""
MOST_MOTION = 0.08
"""Of the picture's height: what moves farther is not the body that the head sits on."""
LEAST_AGREEMENT = 0.9
"""Correlation of a moved outline with the usual one, below which it is another outline: an arm, a turn of the body."""
ROUNDS, STEPS = 2, 20

Motion = Float[np.ndarray, " 3"]
"""Columns, rows, and a turn in the image from right to down, counted at REACH from the pivot."""


@dataclass(frozen=True)
class TorsoMotions:
    """How far the clothes are beside their usual place in each frame, and in which frames that was `found`.

    `motion` is columns, rows, and a turn in the image from right to down times `reach`, pixels; `pivot` (continuous
    pixels) is what moves by columns and rows, and does not by the turn. `certain` says from 0 to 1 along which
    directions outlines tell of motions. Frames with the same `place` have the same usual place: those of one
    recording, or of several in which a person sits alike.
    """

    motion: Float[np.ndarray, "n 3"]
    found: Bool[np.ndarray, " n"]
    certain: Float[np.ndarray, "n 3 3"]
    pivot: Float[np.ndarray, "n 2"]
    place: Int[np.ndarray, " n"]
    reach: float

    def rows(self, index: Int[np.ndarray, " k"]) -> "TorsoMotions":
        """Some of the frames."""
        names = ("motion", "found", "certain", "pivot", "place")
        return replace(self, **{name: getattr(self, name)[index] for name in names})


@dataclass(frozen=True)
class _Followed:
    """Frames that share a usual place, in small maps."""

    motions: Float[np.ndarray, "k 3"]
    found: Bool[np.ndarray, " k"]
    certain: Float[np.ndarray, "3 3"]
    usual: Float[np.ndarray, "r c"]
    free: Bool[np.ndarray, "r c"]
    pivot: Float[np.ndarray, " 2"]


def torso_motions(labels: Callable[[int], UInt8[np.ndarray, "h w"]], video: Int[np.ndarray, " n"]) -> TorsoMotions:
    """Follow the clothes through the frames.

    Args:
        labels: face-parsing labels of a frame.
        video: the recording of each frame.
    """
    n, (height, width) = len(video), labels(0).shape
    maps = [_small(labels(row)) for row in range(n)]
    place, start = _places(maps, video)
    motion, found, certain = np.zeros((n, 3)), np.zeros(n, bool), np.zeros((n, 3, 3))
    pivot, scale = np.zeros((n, 2)), height / ROWS
    for number in np.unique(place):
        rows = np.flatnonzero(place == number)
        followed = _follow([maps[row] for row in rows], start[rows])
        motion[rows], found[rows], certain[rows] = scale * followed.motions, followed.found, followed.certain
        pivot[rows] = scale * (followed.pivot + 0.5)
    return TorsoMotions(motion, found, certain, pivot, place, REACH * width)


def _places(
    maps: list[UInt8[np.ndarray, "r c"]], video: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Which recordings show the body in a place that another one shows it in, and how far each lies beside that."""
    numbers = np.unique(video)
    place, start = video.copy(), np.zeros((len(video), 3))
    if len(numbers) == 1:
        return place, start
    alone = {int(k): _follow([maps[row] for row in np.flatnonzero(video == k)]) for k in numbers}
    first: list[int] = []
    for number, own in alone.items():
        for other in first:
            known = alone[other]
            free = known.free & own.free
            motion = _motion(own.usual, known.usual, free, known.pivot)
            if _near(motion) and _agreement(own.usual, known.usual, free, known.pivot, motion) > LEAST_AGREEMENT:
                place[video == number], start[video == number] = other, motion
                break
        else:
            first.append(number)
    return place, start


def _follow(maps: list[UInt8[np.ndarray, "r c"]], start: Float[np.ndarray, "k 3"] | None = None) -> _Followed:
    """The motions of frames against what they have in common."""
    cloth = [(small == ParsingLabel.CLOTH).astype(np.float32) for small in maps]
    outlines = [cv2.GaussianBlur(one, (0, 0), BLUR) for one in cloth]
    # Where a head comes, an outline is the head's.
    often = np.mean([~np.isin(small, SHOULDERS) for small in maps], axis=0) > OFTEN
    heads = cv2.morphologyEx(often.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    free = cv2.dilate(heads, np.ones((2 * MARGIN + 1,) * 2, np.uint8)) == 0
    pivot = _pivot(np.mean(cloth, axis=0))
    motions = np.zeros((len(maps), 3)) if start is None else start
    usual = np.mean([_moved_back(o, m, pivot) for o, m in zip(outlines, motions, strict=True)], axis=0)
    for _ in range(ROUNDS):
        motions = np.stack([_motion(o, usual, free, pivot, m) for o, m in zip(outlines, motions, strict=True)])
        usual = np.mean([_moved_back(o, m, pivot) for o, m in zip(outlines, motions, strict=True)], axis=0)
    middle = np.median(motions, axis=0)
    found = [
        _near(motion - middle) and _agreement(outline, usual, free, pivot, motion) > LEAST_AGREEMENT
        for outline, motion in zip(outlines, motions, strict=True)
    ]
    slopes = _slopes(usual, free, pivot)
    # Steep: an outline that hardly tells of motions in a direction tells wrong ones.
    steep = np.linalg.matrix_power(slopes @ slopes.T, 4)
    certain = steep @ np.linalg.inv(steep + LEAST_OUTLINE**4 * np.eye(3))
    return _Followed(motions, np.array(found), certain, usual, free, pivot)


def _motion(
    outline: Float[np.ndarray, "r c"],
    usual: Float[np.ndarray, "r c"],
    free: Bool[np.ndarray, "r c"],
    pivot: Float[np.ndarray, " 2"],
    start: Motion | None = None,
) -> Motion:
    """How far an outline is beside the usual one, by Gauss and Newton with the slopes of that."""
    slopes = _slopes(usual, free, pivot)
    inverse = np.linalg.inv(slopes @ slopes.T + LEAST_OUTLINE * np.eye(3)) @ slopes
    motion, most = np.zeros(3) if start is None else start, 2 * MOST_MOTION * ROWS
    for _ in range(STEPS):
        motion = (motion - inverse @ (_moved_back(outline, motion, pivot) - usual)[free]).clip(-most, most)
    return motion


def _slopes(
    usual: Float[np.ndarray, "r c"], free: Bool[np.ndarray, "r c"], pivot: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, "3 k"]:
    """How an outline changes at the free pixels with each component of a motion."""
    down, right = np.gradient(usual)
    row, column = np.indices(usual.shape)
    turn = (down * (column - pivot[0]) - right * (row - pivot[1])) / (REACH * usual.shape[1])
    return np.stack([right[free], down[free], turn[free]])


def _pivot(often: Float[np.ndarray, "r c"]) -> Float[np.ndarray, " 2"]:
    """Where the neck comes out of the clothes, about; the picture's middle where there are none."""
    rows, columns = often.sum(axis=1), often.sum(axis=0)
    if not often.any():
        return np.array([often.shape[1] / 2, often.shape[0] / 2])
    row = np.searchsorted(rows.cumsum(), NECK * rows.sum())
    return np.array([(columns * np.arange(len(columns))).sum() / columns.sum(), float(row)])


def _small(labels: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "r c"]:
    columns = round(ROWS * labels.shape[1] / labels.shape[0])
    return cv2.resize(labels, (columns, ROWS), interpolation=cv2.INTER_NEAREST)


def _moved_back(
    outline: Float[np.ndarray, "r c"], motion: Motion, pivot: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, "r c"]:
    angle = motion[2] / (REACH * outline.shape[1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.concatenate([turn, (pivot - turn @ pivot + motion[:2])[:, None]], axis=1).astype(np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(outline, matrix, outline.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _near(motion: Motion) -> bool:
    return bool(np.linalg.norm(motion) < MOST_MOTION * ROWS)


def _agreement(
    outline: Float[np.ndarray, "r c"],
    usual: Float[np.ndarray, "r c"],
    free: Bool[np.ndarray, "r c"],
    pivot: Float[np.ndarray, " 2"],
    motion: Motion,
) -> float:
    """Correlation of an outline that is moved back with the usual one; 0 where one of them is all the same."""
    first, second = _moved_back(outline, motion, pivot)[free], usual[free]
    if not len(first) or first.std() < 1e-3 or second.std() < 1e-3:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
