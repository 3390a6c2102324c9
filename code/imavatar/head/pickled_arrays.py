"""Builds the arrays of a head model's pickle from what the stand-ins of numpy's constructors kept."""

from typing import Any

import numpy as np

from imavatar.head.array_bytes import WrongArrayError, array_from_bytes, item_type
from imavatar.head.pickle_stand_ins import (
    ArrayClass,
    BufferArray,
    ChumpyArray,
    EmptyBytes,
    EncodedText,
    ItemType,
    RebuiltArray,
    Scalar,
)
from imavatar.head.restricted_pickle import described

STATE_VERSION = 1
"""Of an array's state: version, shape, dtype, order, bytes."""
ITEM_STATE_VERSION = 3
"""Of a dtype's state: version, byte order, three parts of dtypes with fields, size, alignment, flags."""
SIZE_OF_NUMBERS = (-1, -1)
"""How a dtype of numbers gives its size and its alignment: by its name alone."""
TEXT_FLAGS = 8
NEVER_WRITTEN = "is an array in a form that numpy never wrote"
CHARACTER_SIZE = 4


def array_of(value: Any) -> np.ndarray:
    """The array of numbers or text that a value stands for; an array stays as it is.

    Raises:
        WrongArrayError: it is no array, an array of objects, or one whose bytes do not fit its shape.
    """
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, ChumpyArray):
        if not isinstance(value.state, dict) or "x" not in value.state:
            raise WrongArrayError("is a chumpy expression, expected an array")
        value = value.state["x"]
    if isinstance(value, RebuiltArray):
        return _rebuilt(value)
    if isinstance(value, BufferArray):
        return _from_buffer(value)
    if isinstance(value, Scalar):
        dtype, data = _parts(value.arguments, 2)
        return array_from_bytes(_item_type(dtype), (), _bytes_of(data))
    raise WrongArrayError(f"is {described(value)}, expected an array")


def _rebuilt(value: RebuiltArray) -> np.ndarray:
    if value.arguments[:1] != (ArrayClass,):
        raise WrongArrayError("is an array of another class than numpy's own")
    version, shape, dtype, fortran, data = _parts(value.state, 5)
    if version != STATE_VERSION:
        raise WrongArrayError(NEVER_WRITTEN)
    dtype, data = _item_type(dtype), _bytes_of(data)
    if type(fortran) not in (bool, int):
        raise WrongArrayError(NEVER_WRITTEN)
    return array_from_bytes(dtype, shape, data, fortran=bool(fortran))


def _from_buffer(value: BufferArray) -> np.ndarray:
    data, dtype, shape, order, axes = _parts((*value.arguments, None)[:5], 5)
    if order not in ("C", "F", "K"):
        raise WrongArrayError("is an array in an order that is none of C, F and K")
    array = array_from_bytes(_item_type(dtype), shape, _bytes_of(data), fortran=order == "F")
    if order != "K" or axes is None:
        return array
    whole = isinstance(axes, tuple) and all(type(axis) is int for axis in axes)
    if not whole or sorted(axes) != list(range(array.ndim)):
        raise WrongArrayError(f"is an array with an order of axes that is none of {array.ndim} dimensions")
    return array.transpose(axes)


def _item_type(value: Any) -> np.dtype:
    """The dtype of numbers or text that a stand-in kept; its state may say nothing but the byte order."""
    if not isinstance(value, ItemType):
        raise WrongArrayError("is an array without a dtype")
    code = value.arguments[0] if value.arguments else None
    version, byte_order, *fields, size, alignment, flags = _parts(value.state, 8)
    if type(code) is not str or type(byte_order) is not str or version != ITEM_STATE_VERSION:
        raise WrongArrayError("is an array with a dtype in a form that numpy never wrote")
    dtype = item_type(code, byte_order)
    text = dtype.kind == "U"
    sizes = (dtype.itemsize, CHARACTER_SIZE) if text else SIZE_OF_NUMBERS
    if fields != [None] * 3 or (size, alignment) != sizes or flags not in ((0, TEXT_FLAGS) if text else (0,)):
        raise WrongArrayError("is an array with a dtype of fields or objects, expected numbers")
    return dtype


def _parts(value: Any, n: int) -> tuple:
    if not isinstance(value, tuple) or len(value) != n:
        raise WrongArrayError(NEVER_WRITTEN)
    return value


def _bytes_of(value: Any) -> bytes | bytearray:
    """An array's bytes: Python 2's strings come as texts of the characters 0 to 255."""
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, EmptyBytes):
        return b""
    if isinstance(value, EncodedText) and value.arguments:
        value = value.arguments[0]
    if not isinstance(value, str):
        kind = "objects" if isinstance(value, list) else described(value)
        raise WrongArrayError(f"holds {kind} in the place of an array's bytes, expected numbers")
    try:
        return value.encode("latin1")
    except UnicodeEncodeError as error:
        raise WrongArrayError("holds text in the place of an array's bytes") from error
