"""Where a head with its hair ends in the image: the lines that touch it from outside.

A line that comes from one side and stops where it first meets the head is not disturbed by what is hollow, such as a
parting of the hair.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from imavatar.anatomy import ParsingLabel

NOT_HEAD = (ParsingLabel.BACKGROUND, ParsingLabel.NECK, ParsingLabel.NECKLACE, ParsingLabel.CLOTH)
ROWS = 256
"""The height of a picture of which the next two are pixels."""
BLUR = 1.5
"""Standard deviation by which the labels' edge is softened: single strands do not count."""
CLEAR = 4.0
"""How far outside the head there must be background."""
N_LINES, WIDEST = 48, np.radians(110)
"""Lines of a frame, and how far the first and the last come from beside straight above."""


def line_normals() -> Float[np.ndarray, "l 2"]:
    """Normals of the lines in the image (x right, y down), away from the head, from its left in the image to its
    right.
    """
    angle = np.linspace(-WIDEST, WIDEST, N_LINES)
    return np.stack([np.sin(angle), -np.cos(angle)], axis=1)


@dataclass(frozen=True)
class HeadOutlines:
    """Where each line touches the head in each frame, continuous pixels, and whether the head ends there: false where
    the picture ends, or clothes begin.
    """

    points: Float[np.ndarray, "n l 2"]
    seen: Bool[np.ndarray, "n l"]

    def rows(self, index: Int[np.ndarray, " k"]) -> "HeadOutlines":
        """Some of the frames."""
        return HeadOutlines(self.points[index], self.seen[index])


def head_outlines(labels: Callable[[int], UInt8[np.ndarray, "h w"]], n_frames: int) -> HeadOutlines:
    """Find the head's outline in all frames.

    Args:
        labels: face-parsing labels of a frame.
    """
    found = [_outline(labels(frame)) for frame in range(n_frames)]
    return HeadOutlines(*(np.stack(part) for part in zip(*found, strict=True)))


def _outline(labels: UInt8[np.ndarray, "h w"]) -> tuple[Float[np.ndarray, "l 2"], Bool[np.ndarray, " l"]]:
    """Points that lines touch, and which of them are seen, in one frame."""
    normals, scale = line_normals(), labels.shape[0] / ROWS
    head = (~np.isin(labels, NOT_HEAD)).astype(np.float32)
    soft = cv2.GaussianBlur(head, (0, 0), BLUR * scale)
    borders, _ = cv2.findContours((soft > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not borders:
        return np.zeros((N_LINES, 2)), np.zeros(N_LINES, bool)
    column, row = max(borders, key=len)[:, 0].T
    down, right = (slope[row, column] for slope in np.gradient(soft))
    slope = np.stack([right, down], axis=1)
    # The border's pixels lie inside; the edge is farther out, where the softened labels pass one half.
    steep = np.square(slope).sum(axis=1, keepdims=True).clip(1e-6)
    out = (0.5 - soft[row, column])[:, None] * slope / steep
    points = np.stack([column, row], axis=1) + 0.5 + out / np.linalg.norm(out, axis=1, keepdims=True).clip(1)
    touched = points[(points @ normals.T).argmax(axis=0)]
    outside = np.floor(touched + CLEAR * scale * normals).astype(int)
    seen = ((outside >= 0) & (outside < labels.shape[::-1])).all(axis=1)
    seen[seen] = labels[outside[seen, 1], outside[seen, 0]] == ParsingLabel.BACKGROUND
    return touched, seen
