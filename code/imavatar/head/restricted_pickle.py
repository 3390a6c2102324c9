"""Reads FLAME's pickles without running anything in them: only arrays and containers are allowed."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse

from imavatar.errors import AssetError

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    ("copy_reg", "_reconstructor"),
    ("copyreg", "_reconstructor"),
    ("__builtin__", "object"),
    ("builtins", "object"),
    ("__builtin__", "set"),
    ("builtins", "set"),
    ("__builtin__", "bytes"),
    ("builtins", "bytes"),
    ("collections", "OrderedDict"),
}
SPARSE_CLASSES = ("csc_matrix", "csr_matrix", "coo_matrix")
CHUMPY_ARRAY = {("chumpy.ch", "Ch"), ("chumpy", "Ch")}


UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ImportError,
    MemoryError,
)
"""What unpickling raises for a file that is damaged or made up."""


class ChumpyArray:
    """Stands in for `chumpy.Ch`, whose state holds the array as `x`."""

    state: Mapping[str, Any] = MappingProxyType({})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state

    def to_array(self) -> np.ndarray:
        """The array."""
        return np.asarray(self.state["x"])


class RefusedGlobalError(pickle.UnpicklingError):
    """The pickle names something that is not allowed."""


class RestrictedUnpickler(pickle.Unpickler):
    """Finds nothing but arrays, sparse matrices and containers."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in CHUMPY_ARRAY:
            return ChumpyArray
        if module.startswith("scipy.sparse") and name in SPARSE_CLASSES:
            return getattr(scipy.sparse, name)
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        raise RefusedGlobalError(f"{module}.{name}")


def load_flame_pickle(path: Path) -> dict[str, Any]:
    """The dictionary of a FLAME pickle, arrays as numpy arrays or sparse matrices.

    Raises:
        AssetError: damaged, not a dictionary, or naming anything that is not allowed; nothing of
            the file is executed.
    """
    try:
        with path.open("rb") as file:
            table = RestrictedUnpickler(file, encoding="latin1").load()
    except RefusedGlobalError as error:
        raise AssetError(
            f"{path} asks for {error}, which a head model does not need: it was refused and nothing "
            "was executed. Use the file as FLAME's site gives it"
        ) from error
    except UNREADABLE as error:
        raise AssetError(f"{path} is not a readable pickle ({error}); download it again") from error
    if not isinstance(table, dict):
        raise AssetError(f"{path} holds a {type(table).__name__}, expected a dictionary")
    return {key: _plain(path, key, value) for key, value in table.items()}


def _plain(path: Path, key: str, value: Any) -> Any:
    if not isinstance(value, ChumpyArray):
        return value
    if "x" not in value.state:
        raise AssetError(f"{path}: {key} is a chumpy expression, expected an array")
    return value.to_array()
