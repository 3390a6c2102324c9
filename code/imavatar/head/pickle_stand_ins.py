"""What stands in for the constructors that head models' pickles name: they keep what they are given, and build nothing.

All are classes that define `__setstate__`, also those that replace a function. A pickle may apply its BUILD opcode to
whatever it named, and where there is no `__setstate__` that sets attributes, which would outlast the reading.
"""

from typing import Any

from imavatar.head.pickle_opcodes import RefusedError


class StandIn:
    """Keeps the arguments that it is called with, and the state that it is given afterwards."""

    called = "an object"
    arguments: tuple = ()
    state: Any = None

    def __init_subclass__(cls, called: str = "") -> None:
        """`called`: in the words of messages; as its base without it."""
        cls.called = called or cls.called

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class ArrayClass(StandIn, called="an array's class"):
    """`numpy.ndarray`, an argument of `_reconstruct`."""


class ItemType(StandIn, called="a dtype"):
    """`numpy.dtype`."""


class RebuiltArray(StandIn, called="an array"):
    """`numpy.core.multiarray._reconstruct`: the array is in the state."""


class BufferArray(StandIn, called="an array"):
    """`numpy.core.numeric._frombuffer`, of protocol 5: the array is in the arguments."""


class Scalar(StandIn, called="a number"):
    """`numpy.core.multiarray.scalar`: a number as its dtype and its bytes."""


class SparseMatrix(StandIn, called="a sparse matrix"):
    """A matrix of `scipy.sparse`: its arrays are in the state."""

    layout = ""


class CscMatrix(SparseMatrix):
    """Compressed by columns."""

    layout = "csc"


class CsrMatrix(SparseMatrix):
    """Compressed by rows."""

    layout = "csr"


class CooMatrix(SparseMatrix):
    """Rows, columns and values."""

    layout = "coo"


class ChumpyArray(StandIn, called="a chumpy expression"):
    """`chumpy.Ch`, whose state holds the array as `x`."""


class EncodedText(StandIn, called="bytes"):
    """`_codecs.encode`, by which Python 3 writes bytes in the protocols up to 2: a text of the characters 0 to 255."""

    def __init__(self, *arguments: Any) -> None:
        text, encoding = arguments if len(arguments) == 2 else (None, None)
        if not isinstance(text, str) or encoding != "latin1":
            raise RefusedError("encode of something other than a text and latin1")
        super().__init__(*arguments)


class EmptyBytes(StandIn, called="bytes"):
    """`bytes`, by which Python 3 writes no bytes in the protocols up to 2; a number would reserve as many bytes."""

    def __init__(self, *arguments: Any) -> None:
        if arguments:
            raise RefusedError("bytes with an argument")
        super().__init__()


class PlainObject(StandIn):
    """`object`, an argument of `_reconstructor`."""


class Reconstructor(StandIn):
    """`copyreg._reconstructor`, by which the protocols 0 and 1 make an object whose state follows."""

    def __new__(cls, *arguments: Any) -> StandIn:
        kind, base, content = arguments if len(arguments) == 3 else (None, None, None)
        plain = base is PlainObject and content is None
        if plain and isinstance(kind, type) and issubclass(kind, (ChumpyArray, SparseMatrix)):
            return kind()
        raise RefusedError("an object of another class than those of arrays")


class OtherSet(StandIn, called="a set"):
    """`set`, which is in the state of chumpy's arrays and is not read."""


class OrderedTable(StandIn, dict, called="an ordered dictionary"):
    """`collections.OrderedDict`, filled by opcodes as a dict is."""


def _in_modules(modules: tuple[str, ...], **stand_ins: type[StandIn]) -> dict[tuple[str, str], type[StandIn]]:
    return {(module, name): stand_in for module in modules for name, stand_in in stand_ins.items()}


def _sparse(stand_in: type[SparseMatrix]) -> dict[tuple[str, str], type[StandIn]]:
    """Both classes of a layout, where the versions of scipy have had them."""
    layout = stand_in.layout
    modules = ("scipy.sparse", f"scipy.sparse.{layout}", f"scipy.sparse._{layout}")
    return _in_modules(modules, **{f"{layout}_matrix": stand_in, f"{layout}_array": stand_in})


STAND_INS: dict[tuple[str, str], type[StandIn]] = {
    **_in_modules(("numpy.core.multiarray", "numpy._core.multiarray"), _reconstruct=RebuiltArray, scalar=Scalar),
    **_in_modules(("numpy.core.numeric", "numpy._core.numeric"), _frombuffer=BufferArray),
    **_in_modules(("numpy",), ndarray=ArrayClass, dtype=ItemType),
    **_sparse(CscMatrix),
    **_sparse(CsrMatrix),
    **_sparse(CooMatrix),
    **_in_modules(("chumpy", "chumpy.ch"), Ch=ChumpyArray),
    **_in_modules(("_codecs",), encode=EncodedText),
    **_in_modules(("copyreg", "copy_reg"), _reconstructor=Reconstructor),
    **_in_modules(("builtins", "__builtin__"), object=PlainObject, bytes=EmptyBytes, set=OtherSet),
    **_in_modules(("collections",), OrderedDict=OrderedTable),
}
"""By module and name, as pickles of Python 2 and 3 and of numpy 1 and 2 give them."""
