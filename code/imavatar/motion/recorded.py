"""Recordings as motions: whole ones, ways between their frames, and their person's face at rest."""

from pathlib import Path

import numpy as np
import torch

from imavatar.anatomy import POSE_SIZE, Joint, pose_slice
from imavatar.data.subject import load_recording
from imavatar.errors import DataError
from imavatar.motion.coefficients import is_whole
from imavatar.motion.sweep import JAW_ANGLE, smoothstep
from imavatar.names import shown
from imavatar.types import HeadParameters

INTERPOLATE, EXTRAPOLATE = "interpolate", "extrapolate"
MOST_FACTOR = 1000
LONGEST_SOURCE = 300
MOST_EXPRESSION, MOST_RADIANS = 1000, 100
"""Far beyond what a face can do: larger numbers are mistakes, and overflow where they are squared."""

NEAREST_NEUTRAL = 0.1
"""Share of a recording's frames, those with the least expression, or the least open jaw, that are taken for neutral."""


def motion_from_json(path: Path, n_expression: int) -> HeadParameters:
    """The expressions and poses of a recording's flame_params.json (docs/data_format.md, section 2)."""
    recording = load_recording(path.parent, path.name)
    sizes = {len(frame.expression) for frame in recording.frames}
    if min(sizes) < n_expression:
        raise DataError(
            f"{path}: expression has {min(sizes)} values, but the avatar was trained with {n_expression}; "
            "use a motion that was tracked with the same head model"
        )
    expression = np.stack([frame.expression[:n_expression] for frame in recording.frames])
    pose = np.stack([frame.pose for frame in recording.frames])
    motion = HeadParameters(*(torch.tensor(values, dtype=torch.float32) for values in (expression, pose)))
    check_plausible(str(path), motion)
    return motion


def check_plausible(source: str, motion: HeadParameters) -> None:
    """See that a motion's numbers are those of a head, as they are after they have been cast.

    Raises:
        DataError: one is not finite, or far out of the range; the message begins with `source`.
    """
    for name, values, most in (("expression", motion.expression, MOST_EXPRESSION), ("pose", motion.pose, MOST_RADIANS)):
        wrong = (~(values.abs() <= most)).nonzero()
        if len(wrong) > 0:
            frame, index = wrong[0].tolist()
            raise DataError(
                f"{source}: {name}[{index}] of frame {frame + 1} is {values[frame, index]:g}, expected a number from "
                f"-{most} to {most}"
            )


def motion_from_frames(source: str, n_expression: int, n_frames: int) -> HeadParameters:
    """`interpolate:FILE:A:B`, from frame A of a recording to frame B and back, or `extrapolate:FILE:A:FACTOR`, from the
    neutral expression through frame A to FACTOR times its expression and jaw (frames count from 1).

    Raises:
        DataError: the source is not written so, or names frames that the recording has not.
    """
    kind, *parts = source.split(":")
    named = shown(source, LONGEST_SOURCE)
    if len(parts) < 3:
        raise DataError(f"{named}: expected {INTERPOLATE}:FILE:A:B or {EXTRAPOLATE}:FILE:A:FACTOR")
    path, first, last = Path(":".join(parts[:-2])), parts[-2], parts[-1]
    recording = motion_from_json(path, n_expression)
    start = _frame(named, recording, first)
    t = torch.linspace(0, 1, n_frames)
    share = smoothstep(2 * torch.minimum(t, 1 - t))[:, None]
    if kind == INTERPOLATE:
        end = _frame(named, recording, last)
        return HeadParameters(
            (1 - share) * start.expression + share * end.expression, (1 - share) * start.pose + share * end.pose
        )
    share = _factor(named, last) * share
    pose = start.pose.expand(n_frames, -1).clone()
    jaw = pose_slice(Joint.JAW)
    pose[:, jaw] = share * start.pose[:, jaw]
    motion = HeadParameters(share * start.expression, pose)
    check_plausible(f"{named}: {last} times frame {first}", motion)
    return motion


def _frame(source: str, recording: HeadParameters, number: str) -> HeadParameters:
    if not is_whole(number) or not 1 <= int(number) <= len(recording):
        raise DataError(f"{source}: the recording has frames 1 to {len(recording)}, none is '{shown(number)}'")
    return recording[int(number) - 1 : int(number)]


def _factor(source: str, text: str) -> float:
    expected = f"expected a number from -{MOST_FACTOR} to {MOST_FACTOR}"
    try:
        factor = float(text)
    except ValueError as error:
        raise DataError(f"{source}: the factor is '{shown(text)}', {expected}") from error
    if not abs(factor) <= MOST_FACTOR:
        raise DataError(f"{source}: the factor is {shown(text)}, {expected}")
    return factor


def neutral_of(recording: HeadParameters) -> HeadParameters:
    """What a recording's person looks like at rest (one row): means over the frames nearest to it.

    A tracker gives a face at rest an expression that is not zero, and a shut jaw an angle that is not: what the head
    model's shape lacks of the person. Both are least there all the same, though not in the same frames.
    """
    jaw = recording.pose[:, pose_slice(Joint.JAW)]
    strength = recording.expression.norm(dim=1)
    moved = strength / strength.median().clamp(min=1e-6) + jaw.norm(dim=1) / JAW_ANGLE
    count = max(1, round(NEAREST_NEUTRAL * len(moved)))
    nearest, shut = moved.argsort()[:count], jaw[:, 0].argsort()[:count]
    pose = torch.zeros(1, POSE_SIZE)
    pose[:, pose_slice(Joint.JAW)] = jaw[shut].mean(dim=0)
    return HeadParameters(recording.expression[nearest].mean(dim=0, keepdim=True), pose)


def neutral_aligned(motion: HeadParameters, source: HeadParameters, target: HeadParameters) -> HeadParameters:
    """The motion with one person's rest (one row, as `neutral_of`) replaced by another's."""
    return HeadParameters(
        motion.expression - source.expression + target.expression, motion.pose - source.pose + target.pose
    )
