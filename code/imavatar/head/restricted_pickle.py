"""Reads FLAME's pickles without running anything in them: only stand-ins of arrays and containers are made."""

import io
import pickle
from pathlib import Path
from typing import Any

from imavatar.errors import AssetError
from imavatar.head.array_bytes import MOST_BYTES, MOST_SHOWN, said
from imavatar.head.pickle_opcodes import RefusedError, check_opcodes
from imavatar.head.pickle_stand_ins import STAND_INS, StandIn

MOST_ENTRIES = 1000
"""A head model has some ten; each is bounded by the file's size, but a pickle may name the same bytes many times."""


class RestrictedUnpickler(pickle.Unpickler):
    """Finds nothing but stand-ins, which keep what they are given."""

    def find_class(self, module: str, name: str) -> type[StandIn]:
        """The stand-in of that name.

        Raises:
            RefusedError: there is none.
        """
        if (module, name) not in STAND_INS:
            raise RefusedError(f"{module}.{name}")
        return STAND_INS[module, name]


def load_flame_pickle(path: Path) -> dict[str, Any]:
    """The dictionary of a FLAME pickle, with stand-ins in the place of arrays; `pickled_arrays` builds those.

    Raises:
        AssetError: damaged, not a dictionary with texts as keys, or naming anything that head models do not need;
            nothing of the file is executed.
    """
    try:
        table = _unpickled(path)
    except RefusedError as error:
        raise AssetError(
            f"{path} asks for {str(error)[:MOST_SHOWN]}, which a head model does not need: it was refused and nothing "
            "was executed. Use the file as FLAME's site gives it"
        ) from error
    except Exception as error:
        # A made-up pickle reaches most of the interpreter's errors, so that a list of them would never be complete.
        raise AssetError(f"{path} is not a readable pickle ({said(error)}); download it again") from error
    if not isinstance(table, dict):
        raise AssetError(f"{path} holds {described(table)}, expected a dictionary")
    odd = [key for key in table if type(key) is not str]
    if odd or len(table) > MOST_ENTRIES:
        found = f"a key of type {type(odd[0]).__name__}" if odd else f"{len(table)} entries"
        raise AssetError(f"{path} has {found}, expected texts as keys and at most {MOST_ENTRIES} of them")
    return table


def described(value: Any) -> str:
    """What a pickle's value is, in words for a message; its content is left out, which may be of any size."""
    return value.called if isinstance(value, StandIn) else f"a value of type {type(value).__name__}"


def _unpickled(path: Path) -> Any:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise pickle.UnpicklingError(f"{size} bytes, expected at most {MOST_BYTES}")
    data = path.read_bytes()
    check_opcodes(data)
    # latin1 keeps the bytes of Python 2's strings, which hold its arrays
    return RestrictedUnpickler(io.BytesIO(data), encoding="latin1").load()
