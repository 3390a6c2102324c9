"""Where a video goes on with another picture: cuts, jumps, and parts that were joined.

A cut changes the picture's structure or colours, and the face jumps with it. A face that only moves fast, or a light
that is switched on, is none. `gradual_changes` finds cross-fades.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from imavatar.preprocessing.detection import Box, box_side
from imavatar.preprocessing.landmarks import Image

THUMB, BINS = 64, 6
ANOTHER_PICTURE = 0.2
"""Change of structure and of colours, both, that needs no face as a witness: between frames of one shot at most a
tenth of it was seen."""
SOME_CHANGE = 0.05
"""Change of structure or of colours from which on the faces are compared."""
JUMP, ZOOM = 0.2, 0.2
"""A face's jump in sides of its box, and the change of the logarithm of its size, from one frame to the next."""


@dataclass(frozen=True)
class Signature:
    """A small grey picture, smoothed, and the shares of colours."""

    grey: Float[np.ndarray, "s s"]
    colours: Float[np.ndarray, " c"]


def signature(rgb: Image) -> Signature:
    """What is compared of a picture."""
    small = cv2.resize(rgb, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    counts = cv2.calcHist([small], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3).ravel()
    return Signature(cv2.GaussianBlur(grey, (0, 0), 1), counts / counts.sum())


def structure_change(before: Signature, after: Signature) -> float:
    """One less the correlation of the grey pictures: 0 for the same structure, whatever the brightness."""
    first, second = (s.grey - s.grey.mean() for s in (before, after))
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    if norms < THUMB**2:  # of a picture of one colour there is no structure to compare
        return float(np.abs(first - second).mean() > 1)
    return 1 - float((first * second).sum()) / norms


def colour_change(before: Signature, after: Signature) -> float:
    """The share of the pixels that have got another colour."""
    return 0.5 * float(np.abs(before.colours - after.colours).sum())


def is_suspect(before: Signature, after: Signature) -> bool:
    """Whether the faces of two frames in a row have to be compared."""
    return max(structure_change(before, after), colour_change(before, after)) > SOME_CHANGE


def is_cut(before: Signature, after: Signature, boxes_before: Sequence[Box], boxes_after: Sequence[Box]) -> bool:
    """Whether a suspect pair of frames parts two shots.

    Args:
        boxes_before, boxes_after: of the faces in either frame, pixels.
    """
    structure, colours = structure_change(before, after), colour_change(before, after)
    if structure > ANOTHER_PICTURE and colours > ANOTHER_PICTURE:
        return True
    if not len(boxes_before) or not len(boxes_after):
        return structure > 2 * ANOTHER_PICTURE
    return not any(_goes_on(first, second) for first in boxes_before for second in boxes_after)


def _goes_on(before: Box, after: Box) -> bool:
    side = box_side(before)
    shift = float(np.linalg.norm((before[:2] + before[2:] - after[:2] - after[2:]) / 2))
    return shift < JUMP * side and abs(math.log(box_side(after) / side)) < ZOOM
