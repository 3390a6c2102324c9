"""The entries of a head model's file, each with the shape and the kind of numbers that it must have."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from imavatar.errors import AssetError
from imavatar.head.array_bytes import WrongArrayError, shape_text
from imavatar.head.pickle_stand_ins import SparseMatrix
from imavatar.head.pickled_arrays import array_of, dense_from_sparse
from imavatar.head.restricted_pickle import described

MOST_LISTED = 40
MOST_CHARACTERS = 60

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class HeadTable:
    """What a head model's file holds by its keys: arrays, or a pickle's stand-ins of them. Errors name the file."""

    path: Path
    entries: Mapping[str, Any]

    def error(self, key: str, problem: str) -> AssetError:
        """The error that an entry is not what it should be."""
        return AssetError(f"{self.path}: {shown(key)} {problem}")

    def array(self, key: str, shape: Shape) -> np.ndarray:
        """An entry of a shape, in which None is any size.

        Raises:
            AssetError: missing, no array, or of another shape.
        """
        if key not in self.entries:
            listed = ", ".join(map(shown, sorted(self.entries)[:MOST_LISTED])) or "nothing"
            raise AssetError(f"{self.path}: no {shown(key)}; found {listed}")
        try:
            array = _dense(self.entries[key], shape)
        except WrongArrayError as error:
            raise self.error(key, str(error)) from error
        if array.ndim != len(shape) or any(size not in (None, n) for size, n in zip(shape, array.shape, strict=True)):
            raise self.error(key, f"has the shape {shape_text(array.shape)}, expected {shape_text(shape)}")
        return array

    def floats(self, key: str, shape: Shape, kinds: str = "fiu") -> Float[np.ndarray, "..."]:
        """An entry of finite numbers, as float32.

        Args:
            kinds: those of numpy's dtypes that are taken; with `b`, masks too.

        Raises:
            AssetError: as `array`, or with anything else than finite numbers.
        """
        array = self.array(key, shape)
        if array.dtype.kind not in kinds:
            raise self.error(key, f"holds {array.dtype}, expected numbers")
        with np.errstate(over="ignore"):  # numbers beyond float32 become infinite, and are found below
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise self.error(key, "holds numbers that are not finite")
        return array

    def whole_numbers(self, key: str, shape: Shape, limits: tuple[int, int], noun: str) -> Int[np.ndarray, "..."]:
        """An entry of whole numbers within limits, both included, as int64; they may be stored as floats.

        Raises:
            AssetError: as `array`, or with anything else than such numbers.
        """
        array = self.array(key, shape)
        if array.dtype.kind not in "fiu":
            raise self.error(key, f"holds {array.dtype}, expected whole numbers")
        lowest, highest = limits
        # compared before the conversion, which would wrap what does not fit; NaN is neither below nor above
        wrong = array[~((array >= lowest) & (array <= highest))]
        if len(wrong):
            raise self.error(key, f"has {noun} {wrong[0]}, expected {lowest} to {highest}")
        broken = array[array != np.floor(array)] if array.dtype.kind == "f" else array[:0].ravel()
        if len(broken):
            raise self.error(key, f"has {noun} {broken[0]}, expected whole numbers")
        return array.astype(np.int64)

    def names(self, key: str) -> tuple[str, ...]:
        """An entry of texts; none where there is no such entry.

        Raises:
            AssetError: anything else than a row of texts.
        """
        value = self.entries.get(key)
        if value is None:
            return ()
        if isinstance(value, (list, tuple)):
            if not all(isinstance(name, str) for name in value):
                raise self.error(key, "holds something other than text, expected names")
            return tuple(value)
        array = self.array(key, (None,))
        if array.size and array.dtype.kind != "U":  # numpy gives the empty array of no names a type of numbers
            raise self.error(key, f"holds {array.dtype}, expected names")
        return tuple(str(name) for name in array)

    def keys_after(self, prefix: str) -> dict[str, str]:
        """The keys that start with a prefix, by what follows it."""
        return {key[len(prefix) :]: key for key in self.entries if key.startswith(prefix)}


def shown(key: str) -> str:
    """A key for messages; one that no file of this project has is quoted and cut."""
    return key if key.isidentifier() and len(key) <= MOST_CHARACTERS else repr(key[:MOST_CHARACTERS])


def _dense(value: Any, shape: Shape) -> np.ndarray:
    if not isinstance(value, SparseMatrix):
        return array_of(value)
    sizes = [size for size in shape if size is not None]
    if len(shape) != 2 or len(sizes) != 2:
        raise WrongArrayError(f"is {described(value)}, expected an array")
    return dense_from_sparse(value, (sizes[0], sizes[1]))
