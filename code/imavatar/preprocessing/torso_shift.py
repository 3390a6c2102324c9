"""How the body moves in the image: by the outline of the clothes, which the head's landmarks say nothing of.

A head that nods about a still neck looks much like one that is carried up and down. The shoulders tell the two apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from imavatar.anatomy import ParsingLabel

ROWS = 128
"""Height in pixels of the label maps that are compared."""
BLUR = 2.0
"""Pixels of these: standard deviation by which outlines are softened."""
SHOULDERS = (ParsingLabel.BACKGROUND, ParsingLabel.CLOTH)
OFTEN, MARGIN = 0.05, 4
"""Share of the frames in which something else is where clothes may be; pixels of the small maps around it that are left
out, too."""
LEAST_OUTLINE = 2.0
"""Sum of squared slopes, about twenty pixels of an outline, that hold a shift where it was."""
MOST_SHIFT = 0.08
"""Of the picture's height: what moves farther is not the body that the head sits on."""
LEAST_AGREEMENT = 0.9
"""Correlation of a moved outline with the usual one, below which it is another outline: an arm, a turn of the body."""
ROUNDS, STEPS = 2, 20
SCALE = 1.0
"""Hundredths of the face's height from which on a difference counts less and less."""


@dataclass(frozen=True)
class TorsoShifts:
    """How far the clothes are beside their usual place in each frame, pixels, and in which frames that was `found`.

    `certain` is of each frame's recording: from 0 to 1 along the directions in which its outlines tell of shifts.
    """

    shift: Float[np.ndarray, "n 2"]
    found: Bool[np.ndarray, " n"]
    certain: Float[np.ndarray, "n 2 2"]


def torso_shifts(labels: Callable[[int], UInt8[np.ndarray, "h w"]], video: Int[np.ndarray, " n"]) -> TorsoShifts:
    """Follow the clothes through the frames.

    Args:
        labels: face-parsing labels of a frame.
        video: the recording of each frame; each has a usual place of its own.
    """
    shift, found, certain = np.zeros((len(video), 2)), np.zeros(len(video), bool), np.zeros((len(video), 2, 2))
    for number in np.unique(video):
        rows = np.flatnonzero(video == number)
        height = labels(int(rows[0])).shape[0]
        maps = [_small(labels(int(row))) for row in rows]
        shift[rows], found[rows], certain[rows] = _follow(maps)
        shift[rows] *= height / ROWS
    return TorsoShifts(shift, found, certain)


def _follow(
    maps: list[UInt8[np.ndarray, "r c"]],
) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, " n"], Float[np.ndarray, "2 2"]]:
    """Shifts (columns, rows) of a recording's frames, in which they were found, and how certain they are."""
    outlines = [cv2.GaussianBlur((small == ParsingLabel.CLOTH).astype(np.float32), (0, 0), BLUR) for small in maps]
    # Where a head comes, an outline is the head's.
    often = np.mean([~np.isin(small, SHOULDERS) for small in maps], axis=0) > OFTEN
    heads = cv2.morphologyEx(often.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    free = cv2.dilate(heads, np.ones((2 * MARGIN + 1,) * 2, np.uint8)) == 0
    shifts, usual = np.zeros((len(maps), 2)), np.mean(outlines, axis=0)
    for _ in range(ROUNDS):
        down, right = np.gradient(usual)
        slopes = np.stack([right[free], down[free]])
        information = slopes @ slopes.T
        inverse = np.linalg.inv(information + LEAST_OUTLINE * np.eye(2)) @ slopes
        for _ in range(STEPS):
            moved = [_moved_back(outline, shift) for outline, shift in zip(outlines, shifts, strict=True)]
            # Gauss and Newton, with the slopes of what the frames have in common.
            shifts = shifts - np.stack([inverse @ (outline - usual)[free] for outline in moved])
            shifts = shifts.clip(-2 * MOST_SHIFT * ROWS, 2 * MOST_SHIFT * ROWS)
        usual = np.mean([_moved_back(o, s) for o, s in zip(outlines, shifts, strict=True)], axis=0)
    agreement = [_correlation(_moved_back(o, s)[free], usual[free]) for o, s in zip(outlines, shifts, strict=True)]
    near = np.linalg.norm(shifts - np.median(shifts, axis=0), axis=1) < MOST_SHIFT * ROWS
    # Steep: an outline that hardly tells of shifts in a direction tells wrong ones.
    steep = np.linalg.matrix_power(information, 4)
    certain = steep @ np.linalg.inv(steep + LEAST_OUTLINE**4 * np.eye(2))
    return shifts, near & (np.array(agreement) > LEAST_AGREEMENT), certain


def _small(labels: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "r c"]:
    columns = round(ROWS * labels.shape[1] / labels.shape[0])
    return cv2.resize(labels, (columns, ROWS), interpolation=cv2.INTER_NEAREST)


def _moved_back(outline: Float[np.ndarray, "r c"], shift: Float[np.ndarray, " 2"]) -> Float[np.ndarray, "r c"]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    return cv2.warpAffine(outline, matrix, outline.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _correlation(first: Float[np.ndarray, " k"], second: Float[np.ndarray, " k"]) -> float:
    """Of two sets of values; 0 where one of them is all the same."""
    if not len(first) or first.std() < 1e-3 or second.std() < 1e-3:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


class TorsoTerm:
    """Robust mean of how far the body's root moves otherwise in the image than the clothes do.

    Args:
        shifts: of the clothes.
        video: the recording of each frame.
        unit: pixels that count as one, of each frame.
    """

    def __init__(self, shifts: TorsoShifts, video: Int[Tensor, " n"], unit: Float[Tensor, " n"]):
        self._video, self._unit = video, unit
        self._weight, self._certain = unit.new_tensor(shifts.found), unit.new_tensor(shifts.certain)
        self._shift = self._centred(unit.new_tensor(shifts.shift))

    def __call__(self, root: Float[Tensor, "n 2"]) -> Float[Tensor, ""]:
        """Of the root in the image, pixels; 0 where it moves as the clothes do."""
        off = torch.einsum("nij,nj->ni", self._certain, self._centred(root) - self._shift)
        robust = SCALE**2 * (1 + off.square().sum(dim=1) / (SCALE * self._unit).square()).log()
        return (self._weight * robust).sum() / self._weight.sum().clamp(min=1)

    def _centred(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Without the mean of each recording."""
        weight = self._weight[:, None]
        sums, counts = (
            points.new_zeros(len(points), width).index_add(0, self._video, values)
            for width, values in ((2, weight * points), (1, weight))
        )
        return points - (sums / counts.clamp(min=1))[self._video]
