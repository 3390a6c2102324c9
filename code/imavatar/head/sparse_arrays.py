"""Builds dense arrays of a pickle's sparse matrices; scipy's code trusts their indices, so all are checked here."""

from typing import Any

import numpy as np
import scipy.sparse

from imavatar.head.array_bytes import WrongArrayError, check_shape, shape_text
from imavatar.head.pickle_stand_ins import SparseMatrix
from imavatar.head.pickled_arrays import array_of

COMPRESSED = {"csc": scipy.sparse.csc_matrix, "csr": scipy.sparse.csr_matrix}


def dense_from_sparse(matrix: SparseMatrix, shape: tuple[int, int]) -> np.ndarray:
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
