"""Which frames of a recording are held out for evaluation, by the name of the split."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

LAST, BLOCKS = "last", "blocks"
SPLITS = {
    LAST: "the last fifth of a recording: what comes later, so that new views and expressions are extrapolated",
    BLOCKS: "the middle one of every five blocks of about a second: what lies between training frames, interpolated",
}
"""Names of splits, and what is held out."""

TRAIN, TEST = "train", "test"
TEST_SHARE = 0.2
"""Of the frames, held out."""
BLOCK_SECONDS = 1.0
GROUP, HELD_OUT = 5, 2
"""Blocks in a group, and which of them is held out, from 0 on: it lies between others, never at a recording's end."""
MIN_BLOCK = 3
"""Frames that a block has at least, where all are used."""


def split_dirs(split: str) -> tuple[str, str]:
    """Names of the training and the test recording of a split that was added to a subject."""
    return f"{TRAIN}_{split}", f"{TEST}_{split}"


def last_frames(n: int) -> Bool[np.ndarray, " n"]:
    """Which of `n` frames in order are held out by the split `last`."""
    return np.arange(n) >= round(n * (1 - TEST_SHARE))


def frames_in_blocks(
    number: Int[np.ndarray, " n"], shots: Sequence[tuple[int, int]], fps: float
) -> Bool[np.ndarray, " n"]:
    """Which frames of a video are held out by the split `blocks`.

    Each shot is divided by itself into groups of five blocks of equal length, so many that a block lasts about
    BLOCK_SECONDS: no block goes across a cut, and a fifth of each shot is held out. Shots that are too short for five
    blocks are for training.

    Args:
        number: of the frames, in the video.
        shots: first and last number of what lies between two cuts.
        fps: numbers a second.
    """
    held = np.zeros(len(number), dtype=bool)
    for first, last in shots:
        length = last - first + 1
        n_groups = min(max(1, round(length / (GROUP * BLOCK_SECONDS * fps))), length // (GROUP * MIN_BLOCK))
        if n_groups == 0:
            continue
        inside = (number >= first) & (number <= last)
        block = (number - first) * (GROUP * n_groups) // length
        held |= inside & (block % GROUP == HELD_OUT)
    return held
