"""JSON files, and numbers out of them: whatever is wrong is said with the file, the key and what was found."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from imavatar.errors import DataError
from imavatar.names import shown

Json: TypeAlias = Any
"""What a JSON file may hold, not looked at yet."""
TOO_LARGE = 10**300
"""For a float: JSON integers have any length."""


def read_json(path: Path) -> Json:
    """The tree of a JSON file; a byte order mark, as editors on Windows write it, is left out.

    Raises:
        DataError: the file is missing, cannot be read, or is no JSON.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f"{path}: is not a file")
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; check data_folder, subject_name, sub_dir and json_name in the configuration, "
            "or make the recording with scripts/preprocess.sh"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text ({error.reason} at byte {error.start})") from error
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno} of "
            f"{len(content)} characters; if the file was cut off, copy or create it again"
        ) from error
    except RecursionError as error:
        raise DataError(f"{path}: lists or objects are nested too deeply, expected at most five levels") from error
    except ValueError as error:
        # json's own errors are above: what is left is Python's limit for whole numbers.
        raise DataError(
            f"{path}: has a whole number of more than {sys.get_int_max_str_digits()} digits, expected numbers that fit "
            "single precision"
        ) from error


def required(tree: Json, key: str, where: str) -> Json:
    """The value of a key that must be there; messages begin with `where`: the file, and the place in it.

    Raises:
        DataError: it is not, or `tree` is no object.
    """
    if not isinstance(tree, dict):
        raise DataError(f"{where}: found {describe(tree)}, expected an object with the key {key}")
    if key not in tree:
        known = shown(", ".join(sorted(map(str, tree))), 200) or "none"
        raise DataError(f"{where}: the key {key} is missing (keys found: {known})")
    return tree[key]


def numbers(tree: Json, key: str, where: str, shape: tuple[int | None, ...], largest: float) -> Float[np.ndarray, "*n"]:
    """The numbers of nested lists of a shape, from -largest to largest; None leaves a length open.

    Raises:
        DataError: the lists have another shape, or a value is no number, not finite or too large.
    """
    value = required(tree, key, where)
    _check_nesting(value, key, where, shape)
    array = np.array(value, dtype=np.float64)
    for fits, expected in (
        (np.isfinite(array), "a finite number; tracking failed there, so leave the frame out"),
        (np.abs(array) <= largest, f"a number from {-largest} to {largest}"),
    ):
        if not fits.all():
            position = tuple(int(i) for i in np.argwhere(~fits)[0])
            place = "".join(f"[{i}]" for i in position)
            raise DataError(f"{where}: {key}{place} is {array[position]}, expected {expected}")
    return array


def _check_nesting(value: Json, name: str, where: str, shape: tuple[int | None, ...]) -> None:
    if not shape:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: {name} is {describe(value)}, expected a number")
        if isinstance(value, int) and abs(value) >= TOO_LARGE:
            raise DataError(f"{where}: {name} is too large for a number")
        return
    if not isinstance(value, list):
        wanted = " x ".join("n" if s is None else str(s) for s in shape)
        raise DataError(f"{where}: {name} is {describe(value)}, expected {wanted} numbers")
    if shape[0] is not None and len(value) != shape[0]:
        raise DataError(f"{where}: {name} has {len(value)} values, expected {shape[0]}")
    for index, item in enumerate(value):
        _check_nesting(item, f"{name}[{index}]", where, shape[1:])


def describe(value: Json) -> str:
    """What was found, short enough for a message."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
