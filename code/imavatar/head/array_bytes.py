"""Makes arrays of numbers or text from bytes that a file gives, after comparing what it declares with what it holds."""

import math
import re
from typing import Any

import numpy as np

NUMBERS = ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
TEXT = re.compile(r"U[1-9][0-9]{0,3}")
MOST_BYTES = 2**31
"""Of a head model's file and of all arrays in it; the open head has some 70 MB."""
MOST_DIMENSIONS = 8
LARGEST_SIZE = 2**48
MOST_SHOWN = 200
"""Characters of a message's part that comes from a file."""
LAST_CHARACTER = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)


class WrongArrayError(ValueError):
    """An array is not what it should be; the message is what follows the array's name."""


def item_type(code: str, byte_order: str) -> np.dtype:
    """The dtype of a code such as f8 or U5, from the list that head models need.

    Args:
        byte_order: `<`, `>`, or `|` where the items have one byte.

    Raises:
        WrongArrayError: another type, as those of objects, of fields and of bytes without a meaning.
    """
    if code not in NUMBERS and not TEXT.fullmatch(code):
        kind = "objects" if code.startswith("O") else f"items of type {code[:20]!r}"
        raise WrongArrayError(f"holds {kind}, expected numbers")
    if byte_order not in (("<", ">", "|") if code.endswith("1") and code[0] in "iub" else ("<", ">")):
        raise WrongArrayError(f"holds items of type {code} in the byte order {byte_order[:20]!r}, expected < or >")
    return np.dtype(byte_order + code)


def array_from_bytes(dtype: np.dtype, shape: Any, data: bytes | bytearray, *, fortran: bool = False) -> np.ndarray:
    """The array of a shape, in this machine's byte order; it is writable and has memory of its own.

    Args:
        shape: as the file declares it; any value.
        fortran: the first index changes fastest.

    Raises:
        WrongArrayError: the shape is none, or another number of bytes belongs to it.
    """
    check_size(dtype, shape, len(data))
    if not data:
        return np.zeros(shape, dtype.newbyteorder("="))
    flat = np.frombuffer(data, dtype)
    if dtype.kind == "U":
        codes = flat.view(f"{dtype.str[0]}u4")
        if ((codes > LAST_CHARACTER) | ((codes >= SURROGATES[0]) & (codes <= SURROGATES[1]))).any():
            raise WrongArrayError("holds text with characters that do not exist")
    return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))


def check_size(dtype: np.dtype, shape: Any, held: int) -> None:
    """Compare what an array declares with the number of bytes that it holds.

    Raises:
        WrongArrayError: as `check_shape`, or they differ.
    """
    expected = math.prod(check_shape(shape)) * dtype.itemsize
    if expected != held:
        raise WrongArrayError(
            f"declares the shape {shape_text(shape)} of {dtype}, {expected} bytes, but holds {held} bytes"
        )


def check_shape(shape: Any) -> tuple[int, ...]:
    """A shape from a file, whose sizes may be of any type and any number, if it can be one.

    Raises:
        WrongArrayError: it is not a tuple of whole numbers, negative, or beyond what numpy counts with.
    """
    if type(shape) is not tuple or any(type(size) is not int for size in shape):
        raise WrongArrayError("declares a shape that is no tuple of whole numbers")
    if len(shape) > MOST_DIMENSIONS:
        raise WrongArrayError(f"declares {len(shape)} dimensions, expected at most {MOST_DIMENSIONS}")
    # an empty array may have any other sizes, but numpy multiplies them all the same
    if any(not 0 <= size < LARGEST_SIZE for size in shape) or math.prod(max(size, 1) for size in shape) > LARGEST_SIZE:
        raise WrongArrayError("declares a shape with a size that is negative or too large")
    return shape


def said(error: Exception) -> str:
    """What an error that a file has led to says, cut, or its kind where it says nothing."""
    return str(error)[:MOST_SHOWN] or type(error).__name__


def shape_text(shape: tuple[int | None, ...]) -> str:
    """A shape for messages, such as 5x3; `any` for an open size."""
    return "x".join("any" if size is None else str(size) for size in shape) or "one number"
