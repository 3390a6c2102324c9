"""A video as a motion: its face, tracked into a folder that a second call finds again."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from imavatar.data.subject import FrameRecord, load_recording
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.pipeline import preprocess
from imavatar.preprocessing.report import describe_request
from imavatar.types import HeadParameters


def track_motion(options: PreprocessOptions, n_expression: int) -> tuple[HeadParameters, list[int], Path]:
    """The motion of a video's face from its first tracked frame to its last, one row for every frame of the video.

    Frames between that could not be tracked are interpolated, so that the motion stays in step with the video.

    Args:
        options: with one video; `subject` is the beginning of the folder's name, which also tells requests apart.
        n_expression: how many expression coefficients the motion has.

    Returns:
        The motion, the frames' numbers in the video at `options.fps`, and the folder that holds the tracked recording.

    Raises:
        DataError: the video cannot be read or tracked.
    """
    # A motion has every frame of its video.
    options = replace(options, overwrite=False, max_frames=None)
    options.check()
    digest = hashlib.sha256(json.dumps(describe_request(options), sort_keys=True).encode()).hexdigest()
    options = replace(options, subject=f"{options.subject}-{digest[:8]}")
    report, folder = preprocess(options), options.target
    frames = [
        frame
        for sub_dir in report.frames_written
        for frame in load_recording(folder / options.subject / sub_dir).frames
    ]
    motion, numbers = without_gaps(frames, n_expression)
    return motion, numbers, folder


def without_gaps(frames: list[FrameRecord], n_expression: int) -> tuple[HeadParameters, list[int]]:
    """Tracked frames of a video as a motion without gaps, and the numbers of its frames in the video."""
    frames = sorted(frames, key=lambda frame: frame.video_frame)
    known = np.array([frame.video_frame for frame in frames])
    numbers = np.arange(known[0], known[-1] + 1)
    expression = np.stack([frame.expression[:n_expression] for frame in frames])
    pose = np.stack([frame.pose for frame in frames])
    return HeadParameters(_between(numbers, known, expression), _between(numbers, known, pose)), numbers.tolist()


def _between(
    numbers: Int[np.ndarray, " n"], known: Int[np.ndarray, " k"], values: Float[np.ndarray, "k c"]
) -> Float[torch.Tensor, "n c"]:
    """Rows at `numbers`, linear between the known ones; poses change little over the few frames of a gap."""
    columns = [np.interp(numbers, known, column) for column in values.T]
    return torch.tensor(np.stack(columns, axis=1), dtype=torch.float32)
