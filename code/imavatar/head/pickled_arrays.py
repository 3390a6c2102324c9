"""Builds the arrays of a head model's pickle from what the stand-ins of the constructors kept.

Scipy's code trusts the indices of its sparse matrices, so all are checked here.
"""

from typing import Any

import numpy as np
import scipy.sparse

from imavatar.head import pickle_stand_ins as stand_ins
from imavatar.head.array_bytes import WrongArrayError, array_from_bytes, check_shape, item_type, shape_text
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
COMPRESSED = {"csc": scipy.sparse.csc_matrix, "csr": scipy.sparse.csr_matrix}


def array_of(value: Any) -> np.ndarray:
    """The array of numbers or text that a value stands for; an array stays as it is.

    Raises:
        WrongArrayError: it is no array, an array of objects, or one whose bytes do not fit its shape.
    """
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, stand_ins.ChumpyArray):
        if not isinstance(value.state, dict) or "x" not in value.state:
            raise WrongArrayError("is a chumpy expression, expected an array")
        value = value.state["x"]
    if isinstance(value, stand_ins.RebuiltArray):
        return _rebuilt(value)
    if isinstance(value, stand_ins.BufferArray):
        return _from_buffer(value)
    if isinstance(value, stand_ins.Scalar):
        dtype, data = _parts(value.arguments, 2)
        return array_from_bytes(_item_type(dtype), (), _bytes_of(data))
    raise WrongArrayError(f"is {described(value)}, expected an array")


def _rebuilt(value: stand_ins.RebuiltArray) -> np.ndarray:
    if value.arguments[:1] != (stand_ins.ArrayClass,):
        raise WrongArrayError("is an array of another class than numpy's own")
    version, shape, dtype, fortran, data = _parts(value.state, 5)
    if version != STATE_VERSION:
        raise WrongArrayError(NEVER_WRITTEN)
    dtype, data = _item_type(dtype), _bytes_of(data)
    if type(fortran) not in (bool, int):
        raise WrongArrayError(NEVER_WRITTEN)
    return array_from_bytes(dtype, shape, data, fortran=bool(fortran))


def _from_buffer(value: stand_ins.BufferArray) -> np.ndarray:
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
    if not isinstance(value, stand_ins.ItemType):
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
    if isinstance(value, stand_ins.EmptyBytes):
        return b""
    if isinstance(value, stand_ins.EncodedText) and value.arguments:
        value = value.arguments[0]
    if not isinstance(value, str):
        kind = "objects" if isinstance(value, list) else described(value)
        raise WrongArrayError(f"holds {kind} in the place of an array's bytes, expected numbers")
    try:
        return value.encode("latin1")
    except UnicodeEncodeError as error:
        raise WrongArrayError("holds text in the place of an array's bytes") from error


def dense_from_sparse(matrix: stand_ins.SparseMatrix, shape: tuple[int, int]) -> np.ndarray:
    """The dense [rows, columns] array of a sparse matrix, float64.

    Args:
        matrix: its state holds `_shape`, `data`, and `indices` and `indptr` or `coords` (or `row` and `col`).
        shape: what it must have; compared before memory is reserved.

    Raises:
        WrongArrayError: another shape, or a part that is missing, not numbers, or out of range.
    """
    state = matrix.state
    if not isinstance(state, dict):
        raise WrongArrayError("is a sparse matrix without content")
    found = check_shape(state.get("_shape"))
    if found != shape:
        raise WrongArrayError(f"has the shape {shape_text(found)}, expected {shape_text(shape)}")
    data = _part(state, "data", "fiub").astype(np.float64)
    if matrix.layout == "coo":
        return _from_coordinates(state, data, shape)
    indices, starts = _part(state, "indices", "iu"), _part(state, "indptr", "iu")
    n_starts, n = reversed(shape) if matrix.layout == "csc" else shape
    _check_starts(starts, n=n_starts, n_indices=len(indices))
    _check_indices("indices", indices, n=n, n_values=len(data))
    built = COMPRESSED[matrix.layout]((data, indices.astype(np.int64), starts.astype(np.int64)), shape=shape)
    built.check_format(full_check=True)
    return built.toarray()


def _from_coordinates(state: dict[Any, Any], data: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    coordinates = state.get("coords", (state.get("row"), state.get("col")))
    if not isinstance(coordinates, tuple) or len(coordinates) != 2:
        raise WrongArrayError("is a sparse matrix whose coords are no pair of arrays")
    pairs = dict(zip(("row", "col"), coordinates, strict=True))
    places = []
    for name, size in zip(pairs, shape, strict=True):
        index = _part(pairs, name, "iu")
        _check_indices(name, index, n=size, n_values=len(data))
        places.append(index.astype(np.int64))
    return scipy.sparse.coo_matrix((data, tuple(places)), shape=shape).toarray()


def _part(state: dict[Any, Any], name: str, kinds: str) -> np.ndarray:
    """An array of the matrix, [k]."""
    if state.get(name) is None:
        raise WrongArrayError(f"is a sparse matrix without {name}")
    try:
        array = array_of(state[name])
    except WrongArrayError as error:
        raise WrongArrayError(f"is a sparse matrix whose {name} {error}") from error
    if array.ndim != 1 or array.dtype.kind not in kinds:
        wanted = "whole numbers" if kinds == "iu" else "numbers"
        raise WrongArrayError(
            f"is a sparse matrix whose {name} has the shape {shape_text(array.shape)} and holds {array.dtype}, "
            f"expected a row of {wanted}"
        )
    return array


def _check_starts(starts: np.ndarray, n: int, n_indices: int) -> None:
    """`indptr`: where each of the n rows or columns starts in `indices`, and the end of the last one."""
    if len(starts) != n + 1:
        raise WrongArrayError(f"is a sparse matrix whose indptr has {len(starts)} numbers, expected {n + 1}")
    if starts[0] != 0 or starts[-1] != n_indices:
        raise WrongArrayError(
            f"is a sparse matrix whose indptr goes from {starts[0]} to {starts[-1]}, expected 0 to {n_indices}"
        )
    decreasing = starts[:-1][starts[1:] < starts[:-1]]
    if len(decreasing):
        raise WrongArrayError(f"is a sparse matrix whose indptr decreases after {decreasing[0]}")


def _check_indices(name: str, indices: np.ndarray, n: int, n_values: int) -> None:
    if len(indices) != n_values:
        raise WrongArrayError(f"is a sparse matrix with {len(indices)} {name} for {n_values} values")
    outside = indices[(indices < 0) | (indices >= n)]
    if len(outside):
        raise WrongArrayError(f"is a sparse matrix whose {name} has {outside[0]}, expected 0 to {n - 1}")
