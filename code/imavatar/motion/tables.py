"""Tables of coefficients as motions: what face-capture apps and spreadsheets write."""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import POSE_SIZE
from imavatar.errors import DataError
from imavatar.motion.coefficients import coefficient_directions
from imavatar.motion.recorded import MOST_EXPRESSION, check_plausible
from imavatar.names import shown
from imavatar.types import HeadParameters

logger = logging.getLogger(__name__)

FIRST_LINE = 2
"""Of a table's numbers; the first one has the names."""
NO_COEFFICIENTS = ("frame", "time", "timecode", "timestamp", "blendshapecount")


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
        _check_column(path, name, numbers)
        column = torch.tensor(numbers, dtype=torch.float32)[:, None]
        expression += column * direction.expression
        pose += column * direction.pose
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
