"""Walks through a pickle's opcodes before anything is unpickled: no number in it may ask for more than it has."""

import pickle
import pickletools

MOST_OPCODES = 1_000_000
"""A head model has a few thousand. Python's unpickler reserves memory for the largest number that a memo opcode
names, so that this bounds that number too."""
MOST_TUPLES = 20_000
"""Hashing a tuple recurses in C without a check: some hundred thousand within each other overflow the stack."""
HIGHEST_PROTOCOL = 5

NEEDED = (
    "MARK STOP POP POP_MARK NONE NEWTRUE NEWFALSE REDUCE BUILD NEWOBJ STACK_GLOBAL MEMOIZE PROTO FRAME "
    "LIST EMPTY_LIST APPEND APPENDS DICT EMPTY_DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET "
    "TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT GLOBAL "
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 BINUNICODE SHORT_BINUNICODE BINUNICODE8"
)
"""Opcodes of the pickles that numpy, scipy and chumpy write; all others are refused."""
SIZES = {op.code.encode("latin1"): op.arg.n if op.arg else 0 for op in pickletools.opcodes if op.name in NEEDED.split()}
"""Bytes of an opcode's argument, or the kind of argument that it is where they differ."""
COUNT_SIZES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Bytes of the number, low byte first, that says how many more bytes follow."""
TUPLES = {pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3}


class RefusedError(pickle.UnpicklingError):
    """The pickle asks for something that no head model needs; the message says for what."""


def check_opcodes(data: bytes) -> None:
    """Check that a pickle consists of opcodes that head models need, whole and with sizes that the file has.

    Opcodes of extension codes, persistent ids, old-style instances and buffers outside the file are none of these.

    Raises:
        RefusedError: another opcode, or a memo entry beyond `MOST_OPCODES`.
        pickle.UnpicklingError: the pickle ends too early, or is larger or deeper than any head model's.
    """
    position = n_tuples = 0
    for _ in range(MOST_OPCODES):
        opcode = data[position : position + 1]
        end = _end(data, opcode, position)
        if end > len(data):
            raise pickle.UnpicklingError(f"opcode {opcode!r} at byte {position} asks for more than the file holds")
        _check_memo(opcode, data[position + 1 : end])
        n_tuples += opcode in TUPLES
        if n_tuples > MOST_TUPLES:
            raise pickle.UnpicklingError(f"more than {MOST_TUPLES} tuples")
        if opcode == pickle.PROTO and data[position + 1] > HIGHEST_PROTOCOL:
            raise pickle.UnpicklingError(f"protocol {data[position + 1]}, expected 0 to {HIGHEST_PROTOCOL}")
        if opcode == pickle.STOP:
            return
        position = end
    raise pickle.UnpicklingError(f"more than {MOST_OPCODES} opcodes")


def _end(data: bytes, opcode: bytes, position: int) -> int:
    """Where the next opcode starts; beyond the data where this one's argument is cut off."""
    start = position + 1
    if not opcode:
        raise pickle.UnpicklingError("the file ends in the middle")
    if opcode not in SIZES:
        raise RefusedError(f"the opcode {opcode!r}")
    size = SIZES[opcode]
    if size in COUNT_SIZES:
        counted = start + COUNT_SIZES[size]
        return counted + int.from_bytes(data[start:counted], "little")
    if size != pickletools.UP_TO_NEWLINE:
        return start + size
    for _ in range(2 if opcode == pickle.GLOBAL else 1):  # a module and a name
        start = data.find(b"\n", start) + 1
        if start == 0:
            return len(data) + 1
    return start


def _check_memo(opcode: bytes, argument: bytes) -> None:
    """Refuse entries of the memo, whose table has the length of the largest number, that no head model reaches."""
    if opcode == pickle.PUT:
        digits = argument.strip()
        beyond = not digits.isdigit() or len(digits) > len(str(MOST_OPCODES)) or int(digits) > MOST_OPCODES
    elif opcode == pickle.LONG_BINPUT:
        beyond = int.from_bytes(argument, "little") > MOST_OPCODES
    else:
        return
    if beyond:
        raise RefusedError("an entry of the memo that is no number or too large")
