"""What may drive an avatar besides a recording: tables of coefficients, and ways between a recording's frames."""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import POSE_SIZE, Joint, pose_slice
from imavatar.errors import DataError
from imavatar.export.coefficients import coefficient_directions, is_whole
from imavatar.export.motion import JAW_ANGLE, MOST_EXPRESSION, check_plausible, motion_from_json, smoothstep
from imavatar.names import shown
from imavatar.types import HeadParameters

logger = logging.getLogger(__name__)

INTERPOLATE, EXTRAPOLATE = "interpolate", "extrapolate"
MOST_FACTOR = 1000
LONGEST_SOURCE = 300
FIRST_LINE = 2
"""Of a table's numbers; the first one has the names."""
NO_COEFFICIENTS = ("frame", "time", "timecode", "timestamp", "blendshapecount")
NEAREST_NEUTRAL = 0.1
"""Share of a recording's frames, those with the least expression, or the least open jaw, that are taken for neutral."""


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
    if kind == INTERPOLATE:
        end = _frame(named, recording, last)
        share = smoothstep(2 * torch.minimum(t, 1 - t))[:, None]
        return HeadParameters(
            (1 - share) * start.expression + share * end.expression, (1 - share) * start.pose + share * end.pose
        )
    share = _factor(named, last) * smoothstep(2 * torch.minimum(t, 1 - t))[:, None]
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


def motion_from_table(
    path: Path, n_expression: int, named: Mapping[str, Float[np.ndarray, " e"]] | None = None
) -> HeadParameters:
    """A frame a line of a CSV file, with a line of column names before them, in any order: the amounts of the
    coefficients that `coefficient_directions` knows by these names, zero where there is no column.

    `frame`, `time` and the like mean nothing; expressions that the model has not are left out and named in the log.

    Raises:
        DataError: no file, no frame, no known column, or what is not a number.
    """
    names, values = _read_table(path)
    directions = coefficient_directions(n_expression, named)
    expression, pose = torch.zeros(len(values), n_expression), torch.zeros(len(values), POSE_SIZE)
    used, unknown = [], []
    for name, numbers in zip(names, values.T, strict=True):
        if name.strip().lower() in NO_COEFFICIENTS:
            continue
        direction = directions(name)
        if direction is None:
            unknown.append(name)
            continue
        column = torch.tensor(numbers, dtype=torch.float32)[:, None]
        expression += column * direction.expression
        pose += column * direction.pose
        _check_column(path, name, numbers)
        used.append(name)
    if not used:
        raise DataError(f"{path}: no column is known; found {shown(', '.join(names))}")
    if unknown:
        logger.warning("%s: left out, the head model has none of these: %s", path, ", ".join(unknown))
    motion = HeadParameters(expression, pose)
    check_plausible(str(path), motion)
    return motion


def _read_table(path: Path) -> tuple[list[str], Float[np.ndarray, "n c"]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            names, *lines = [line for line in csv.reader(file) if line] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table: {error}") from error
    if not lines:
        raise DataError(f"{path}: expected a line of column names and a line for every frame")
    rows = []
    for number, line in enumerate(lines, start=FIRST_LINE):
        if len(line) != len(names):
            raise DataError(f"{path}, line {number}: {len(line)} values, expected {len(names)} as the first line names")
        rows.append([_number(path, number, name, text) for name, text in zip(names, line, strict=True)])
    return names, np.array(rows, dtype=np.float64)


def _number(path: Path, line: int, name: str, text: str) -> float:
    if name.strip().lower() in NO_COEFFICIENTS:
        return 0.0
    try:
        value = float(text)
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {shown(name)} is '{shown(text)}', expected a number") from error
    if not np.isfinite(value):
        raise DataError(f"{path}, line {line}: {shown(name)} is {shown(text)}, expected a finite number")
    return value


def _check_column(path: Path, name: str, numbers: Float[np.ndarray, " n"]) -> None:
    """Raise where a number is far too large, with its line."""
    too_large = np.flatnonzero(np.abs(numbers) > MOST_EXPRESSION)
    if len(too_large) > 0:
        row = int(too_large[0])
        raise DataError(
            f"{path}, line {row + FIRST_LINE}: {shown(name)} is {numbers[row]:g}, expected a number from "
            f"-{MOST_EXPRESSION} to {MOST_EXPRESSION}"
        )


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
