"""Walks through a pickle's opcodes before anything is unpickled: no number in it may ask for more than it has."""

import pickle

MOST_OPCODES = 1_000_000
"""A head model has a few thousand. Python's unpickler reserves memory for the largest number that a memo opcode
names, so that this bounds that number too."""
MOST_TUPLES = 20_000
"""Hashing a tuple recurses in C without a check: some hundred thousand within each other overflow the stack."""
HIGHEST_PROTOCOL = 5

NO_ARGUMENT = (
    pickle.MARK,
    pickle.STOP,
    pickle.POP,
    pickle.POP_MARK,
    pickle.NONE,
    pickle.NEWTRUE,
    pickle.NEWFALSE,
    pickle.REDUCE,
    pickle.BUILD,
    pickle.NEWOBJ,
    pickle.STACK_GLOBAL,
    pickle.MEMOIZE,
    pickle.APPEND,
    pickle.APPENDS,
    pickle.LIST,
    pickle.EMPTY_LIST,
    pickle.DICT,
    pickle.EMPTY_DICT,
    pickle.SETITEM,
    pickle.SETITEMS,
    pickle.EMPTY_SET,
    pickle.ADDITEMS,
    pickle.FROZENSET,
    pickle.TUPLE,
    pickle.EMPTY_TUPLE,
    pickle.TUPLE1,
    pickle.TUPLE2,
    pickle.TUPLE3,
)
FIXED_SIZES = {
    **dict.fromkeys(NO_ARGUMENT, 0),
    pickle.PROTO: 1,
    pickle.BININT: 4,
    pickle.BININT1: 1,
    pickle.BININT2: 2,
    pickle.BINFLOAT: 8,
    pickle.BINGET: 1,
    pickle.LONG_BINGET: 4,
    pickle.BINPUT: 1,
    pickle.LONG_BINPUT: 4,
    pickle.FRAME: 8,
}
"""Bytes of an opcode's argument."""
LINES = {
    pickle.INT: 1,
    pickle.LONG: 1,
    pickle.FLOAT: 1,
    pickle.STRING: 1,
    pickle.UNICODE: 1,
    pickle.GET: 1,
    pickle.PUT: 1,
    pickle.GLOBAL: 2,
}
"""Lines of text that an opcode takes."""
COUNT_SIZES = {
    pickle.LONG1: 1,
    pickle.LONG4: 4,
    pickle.SHORT_BINSTRING: 1,
    pickle.BINSTRING: 4,
    pickle.SHORT_BINBYTES: 1,
    pickle.BINBYTES: 4,
    pickle.BINBYTES8: 8,
    pickle.BYTEARRAY8: 8,
    pickle.SHORT_BINUNICODE: 1,
    pickle.BINUNICODE: 4,
    pickle.BINUNICODE8: 8,
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
    if opcode in FIXED_SIZES:
        return start + FIXED_SIZES[opcode]
    if opcode in COUNT_SIZES:
        counted = start + COUNT_SIZES[opcode]
        return counted + int.from_bytes(data[start:counted], "little")
    if opcode not in LINES:
        raise RefusedError(f"the opcode {opcode!r}")
    for _ in range(LINES[opcode]):
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
