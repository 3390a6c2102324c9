"""Pickles of head models: those of any age are read, and made-up ones do no more than raise an AssetError."""

import collections
import itertools
import pickle
import pickletools
import random
import re
import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from head_files import assert_same, flame_table, read_elsewhere, tiny_head, write_pickle
from imavatar.errors import AssetError
from imavatar.head.assets import HeadAssets, load_head
from imavatar.head.pickled_arrays import array_of
from imavatar.head.restricted_pickle import load_flame_pickle

ADDRESS = b"AAAAAAAA"
N_MUTATIONS = 200


@pytest.fixture(scope="module")
def head() -> HeadAssets:
    return tiny_head()


def text(value: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value


def dtype(code: bytes, state: bytes) -> bytes:
    return b"cnumpy\ndtype\n(" + text(code) + b"K\x00K\x01tR" + state + b"b"


def dtype_state(order=b"|", names=b"N", fields=b"N", size=-1, flags=0) -> bytes:
    number = b"J" + struct.pack("<i", size)
    return b"(K\x03" + text(order) + b"N" + names + fields + number + number + b"K" + bytes([flags]) + b"t"


def table_of(value: bytes, key: bytes = b"v_template") -> bytes:
    return b"\x80\x02}(" + text(key) + value + b"u."


def array(dtype_code: bytes, shape: bytes, data: bytes, fortran: bytes = b"\x89") -> bytes:
    rebuilt = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    return rebuilt + b"(K\x01" + shape + dtype_code + fortran + data + b"tb"


def nested_tuples(depth: int) -> bytes:
    return b")" + b"\x85" * depth


FLOATS = dtype(b"f8", dtype_state(b"<"))
OBJECTS = dtype(b"O8", dtype_state(flags=63))
OBJECTS_WITHOUT_FLAGS = dtype(b"O8", dtype_state(flags=0))
OBJECT_FIELD = b"}" + text(b"a") + OBJECTS + b"K\x00\x86s"
FIELD_WITHOUT_FLAGS = dtype(b"V8", dtype_state(names=text(b"a") + b"\x85", fields=OBJECT_FIELD, size=8))
FLOATS_THAT_BECOME_OBJECTS = dtype(b"f8", dtype_state(names=text(b"a") + b"\x85", fields=OBJECT_FIELD, size=8))
EIGHT_BYTES = b"U\x08" + ADDRESS
SCALAR = b"cnumpy.core.multiarray\nscalar\n"

TYPE_CONFUSIONS = {
    "a scalar of a dtype with a field of objects": SCALAR + FIELD_WITHOUT_FLAGS + EIGHT_BYTES + b"\x86R",
    "a scalar of a dtype of objects": SCALAR + OBJECTS_WITHOUT_FLAGS + EIGHT_BYTES + b"\x86R",
    "an array of a dtype with a field of objects": array(FIELD_WITHOUT_FLAGS, b"K\x01\x85", EIGHT_BYTES),
    "an array of objects without the flags": array(OBJECTS_WITHOUT_FLAGS, b"K\x01\x85", EIGHT_BYTES),
    "a dtype of numbers whose state has a field of objects": array(
        FLOATS_THAT_BECOME_OBJECTS, b"K\x01\x85", EIGHT_BYTES
    ),
    "a buffer of a dtype with a field of objects": b"cnumpy.core.numeric\n_frombuffer\n("
    + EIGHT_BYTES
    + FIELD_WITHOUT_FLAGS
    + b"K\x01\x85"
    + text(b"C")
    + b"tR",
}


def test_no_bytes_of_a_file_become_pointers(tmp_path):
    paths = []
    for number, value in enumerate(TYPE_CONFUSIONS.values()):
        paths.append(tmp_path / f"{number}.pkl")
        paths[-1].write_bytes(table_of(value))
    said = dict(zip(TYPE_CONFUSIONS, read_elsewhere(paths), strict=True))
    good = re.compile(r"AssetError: .*\.pkl: v_template (holds|is an array with a dtype of fields or objects)")
    assert {name: message for name, message in said.items() if not good.match(message)} == {}


EXHAUSTING = {
    "a memo entry of two thousand millions": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a memo entry in digits": b"Np99999999999\n.",
    "bytes of a length beyond the file": b"\x80\x04\x8e" + struct.pack("<Q", 10**13) + b"a.",
    "a bytearray of a length beyond the file": b"\x80\x05\x96" + struct.pack("<Q", 10**13) + b"a.",
    "a text of a length beyond the file": b"\x80\x04\x8d" + struct.pack("<Q", 10**13) + b"a.",
    "a frame of a length beyond the file": b"\x80\x04\x95" + struct.pack("<Q", 10**13) + b"N.",
    "bytes of a number": b"\x80\x02}" + text(b"v_template") + b"c__builtin__\nbytes\nI" + b"9" * 30 + b"\n\x85Rs.",
    "bytes of a number that fits": b"\x80\x02}" + text(b"f") + b"cbuiltins\nbytes\nI99999999999\n\x85Rs.",
    "a key of tuples within each other": b"\x80\x02}" + nested_tuples(400_000) + b"Ns.",
    "a set of tuples within each other": b"\x80\x04\x8f(" + nested_tuples(400_000) + b"\x90.",
    "lists within each other": b"\x80\x02" + b"]" * 900_000 + b"a" * 899_999 + b".",
    "a megabyte of dictionaries": b"\x80\x02" + b"}" * 2_000_000 + b".",
    "an array with a size of thirty digits": table_of(array(FLOATS, b"I" + b"9" * 30 + b"\n\x85", EIGHT_BYTES)),
    "an array with a size of thousands of digits": table_of(
        array(FLOATS, b"\x8b" + struct.pack("<i", 5000) + b"\x7f" * 5000 + b"\x85", EIGHT_BYTES)
    ),
    "a text that is encoded a thousand times": b"\x80\x02](" + text(b"a" * 10_000_000) + b"q\x00"
    b"0c_codecs\nencode\nq\x01" + (b"0h\x01h\x00" + text(b"latin1") + b"\x86R") * 3000 + b"e.",
}


def test_no_file_exhausts_the_memory_or_the_stack(tmp_path):
    paths = []
    for number, content in enumerate(EXHAUSTING.values()):
        paths.append(tmp_path / f"{number}.pkl")
        paths[-1].write_bytes(content)
    said = dict(zip(EXHAUSTING, read_elsewhere(paths), strict=True))
    good = re.compile(r"AssetError: .*\.pkl(:| is| asks| has| holds) .{5,300}$")
    assert {name: message for name, message in said.items() if not good.match(message)} == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"c__builtin__\nbytes\nI3\n\x85R.", "asks for bytes with an argument"),
        (b"c_codecs\nencode\n" + text(b"a") + text(b"rot13") + b"\x86R.", "asks for encode of something other"),
        (b"c_codecs\nencode\nK\x05" + text(b"latin1") + b"\x86R.", "asks for encode of something other"),
        (
            b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.",
            "asks for an object of another",
        ),
        (
            b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nK\x01tR.",
            "asks for an object of another",
        ),
        (b"ccollections\ndefaultdict\n)R.", "asks for collections.defaultdict"),
        (b"cscipy.sparse.evil\ncsc_matrix\n)R.", "asks for scipy.sparse.evil.csc_matrix"),
        (b"cscipy.sparse\nload_npz\n)R.", "asks for scipy.sparse.load_npz"),
        (b"cnumpy\nload\n)R.", "asks for numpy.load"),
        (b"cnumpy\ndtype.type\n.", "asks for numpy.dtype.type"),
        (b"\x82\x01.", "asks for the opcode b'.x82'"),
        (b"\x83\x01\x00.", "asks for the opcode b'.x83'"),
        (b"\x84\x01\x00\x00\x00.", "asks for the opcode b'.x84'"),
        (b"Pname\n.", "asks for the opcode b'P'"),
        (b"NQ.", "asks for the opcode b'Q'"),
        (b"(i__main__\nName\n.", "asks for the opcode b'i'"),
        (b"(c__builtin__\nset\no.", "asks for the opcode b'o'"),
        (b"c__builtin__\nset\n)}\x92.", r"asks for the opcode b'.x92'"),
        (b"\x97.", r"asks for the opcode b'.x97'"),
        (b"N\x98.", r"asks for the opcode b'.x98'"),
        (b"\x00", r"asks for the opcode b'.x00'"),
        (b"", "the file ends in the middle"),
        (b"\x80\x09N.", "protocol 9"),
        (b"N", "the file ends in the middle"),
        (b"X\x00", "asks for more than the file holds"),
        (b"cnumpy\n", "asks for more than the file holds"),
        (b"h\x07.", "is not a readable pickle"),
        (b"Ix\n.", "is not a readable pickle"),
        (b"0.", "is not a readable pickle"),
        (b"I" + b"9" * 6000 + b"\n.", "is not a readable pickle|expected a dictionary"),
        (b"F1e9x\n.", "is not a readable pickle"),
        (b"S'a\n.", "is not a readable pickle"),
        (b"V\\ud\n.", "is not a readable pickle"),
        (b"}]Ns.", "is not a readable pickle"),
        (b"c__builtin__\nset\n}b.", "is not a readable pickle"),
        (b"c__builtin__\nset\n(N}" + text(b"arguments") + b"K\x01stb.", "is not a readable pickle"),
        (b"N.", "holds a value of type NoneType, expected a dictionary"),
        (b"c__builtin__\nset\n)R.", "holds a set, expected a dictionary"),
        (b"}K\x05Ns.", "has a key of type int, expected texts"),
        (b"}.", "no v_template; found nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_head_model_needs_is_refused_in_words(tmp_path, content, message):
    path = tmp_path / "odd.pkl"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=rf"odd\.pkl.*({message})"):
        load_head(path)


def test_a_long_name_from_a_file_is_cut_in_the_message(tmp_path):
    path = tmp_path / "odd.pkl"
    path.write_bytes(b"c" + b"a" * 100_000 + b"\nb\n.")
    with pytest.raises(AssetError) as caught:
        load_head(path)
    assert len(str(caught.value)) < 1000


def test_a_table_of_very_many_entries_is_refused(tmp_path):
    with pytest.raises(AssetError, match="has 2000 entries"):
        load_head(write_pickle(tmp_path / "many.pkl", {f"region_{i}": 0 for i in range(2000)}))


def test_reading_leaves_nothing_behind_in_the_stand_ins(tmp_path):
    """BUILD with a pair of states sets attributes wherever there is no `__setstate__`."""
    path = tmp_path / "odd.pkl"
    for module, name in (("_codecs", "encode"), ("copy_reg", "_reconstructor"), ("collections", "OrderedDict")):
        change = b"(N}" + text(b"__defaults__") + b")stb"
        path.write_bytes(f"c{module}\n{name}\n".encode() + change + b".")
        with pytest.raises(AssetError, match="is not a readable pickle"):
            load_head(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_protocol_and_order_is_read(head, tmp_path, protocol, order):
    table = {
        key: value if scipy.sparse.issparse(value) else np.array(value, order=order)
        for key, value in flame_table(head).items()
    }
    read = load_head(write_pickle(tmp_path / "flame.pkl", table, protocol))
    assert_same(read, head)
    for value in (read.v_template, read.shapedirs, read.faces, read.joint_regressor):
        assert value.flags.writeable


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f8").reshape(2, 3),
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.arange(24, dtype="u2").reshape(2, 3, 4).transpose(1, 0, 2),
        np.arange(24, dtype="i8").reshape(2, 3, 4)[:, ::2],
        np.array([[True, False]]),
        np.zeros((0, 3), np.int8),
        np.array(5.5, np.float32),
        np.float64(2.5),
        np.array(["teeth_up", "é", ""]),
        np.array(["a"], ">U3"),
    ],
    ids=lambda array: f"{array.dtype.str} {array.shape}",
)
def test_every_kind_of_array_is_built_as_it_was(tmp_path, array, protocol):
    path = write_pickle(tmp_path / "arrays.pkl", {"array": array}, protocol)
    built = array_of(load_flame_pickle(path)["array"])
    np.testing.assert_array_equal(built, array)
    assert built.dtype == array.dtype.newbyteorder("=")
    assert built.dtype.isnative
    assert built.flags.writeable


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_objects_are_refused(head, tmp_path, protocol):
    table = flame_table(head) | {"v_template": np.array([[1, None, "a"]], object)}
    with pytest.raises(AssetError, match=r"flame\.pkl: v_template holds objects, expected numbers"):
        load_head(write_pickle(tmp_path / "flame.pkl", table, protocol))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_chumpy_arrays_are_read_without_chumpy(head, tmp_path, protocol, monkeypatch):
    class Ch:
        def __init__(self, x):
            self.x, self._dirty_vars, self._cache = x, {"x"}, collections.OrderedDict(drs={})

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module, package = types.ModuleType("chumpy.ch"), types.ModuleType("chumpy")
    module.Ch, package.ch = Ch, module
    table = flame_table(head)
    for key in ("v_template", "shapedirs", "posedirs", "weights"):
        table[key] = Ch(table[key])
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "chumpy", package)
        patch.setitem(sys.modules, "chumpy.ch", module)
        path = write_pickle(tmp_path / "flame.pkl", table, protocol)
    assert_same(load_head(path), head)


def test_a_chumpy_expression_is_refused_where_it_is_needed_only(head, tmp_path):
    expression = b"cchumpy.ch\nCh\n)\x81}" + text(b"a") + b"Nsb"
    table = pickle.dumps(flame_table(head), protocol=2)
    path = tmp_path / "flame.pkl"
    for key in ("J", "weights"):
        path.write_bytes(table[:-1] + text(key.encode()) + expression + b"s.")
        if key == "J":
            assert_same(load_head(path), head)
        else:
            with pytest.raises(AssetError, match="weights is a chumpy expression, expected an array"):
                load_head(path)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (b"numpy._core", b"numpy.core"),
        (b"scipy.sparse._csc", b"scipy.sparse.csc"),
        (b"scipy.sparse._csc", b"scipy.sparse"),
    ],
)
def test_names_of_older_libraries_are_known(head, tmp_path, new, old):
    written = pickle.dumps(flame_table(head), protocol=2)
    assert new in written
    path = tmp_path / "flame.pkl"
    path.write_bytes(written.replace(new, old))
    assert_same(load_head(path), head)


def test_an_ordered_dictionary_is_read(head, tmp_path):
    table = collections.OrderedDict(flame_table(head))
    assert_same(load_head(write_pickle(tmp_path / "flame.pkl", table)), head)


class Python2:
    """Writes what Python 2 wrote: its strings, which hold the bytes of arrays, and the names of its modules."""

    def __init__(self, protocol: int):
        self.protocol = protocol

    def string(self, value: bytes) -> bytes:
        if self.protocol == 0:
            return b"S" + repr(value).encode()[1:] + b"\n"
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<I", len(value)) + value

    def number(self, value: int) -> bytes:
        return b"I%d\n" % value if abs(value) < 2**31 else b"L%dL\n" % value

    def tuple_of(self, *parts: bytes) -> bytes:
        return b"(" + b"".join(parts) + b"t"

    def dict_of(self, content: dict[bytes, bytes]) -> bytes:
        return b"(d" + b"".join(self.string(key) + value + b"s" for key, value in content.items())

    def array_of(self, value: np.ndarray) -> bytes:
        number = self.number
        code, order = value.dtype.str[1:].encode(), value.dtype.str[:1].encode()
        made = b"cnumpy\ndtype\n" + self.tuple_of(self.string(code), number(0), number(1)) + b"R"
        made += self.tuple_of(number(3), self.string(order), b"NNN", number(-1), number(-1), number(0)) + b"b"
        fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        state = (
            number(1),
            self.tuple_of(*map(number, value.shape)),
            made,
            b"I01\n" if fortran else b"I00\n",
            self.string(value.tobytes("F" if fortran else "C")),
        )
        base = self.tuple_of(b"cnumpy\nndarray\n", self.tuple_of(number(0)), self.string(b"b"))
        return b"cnumpy.core.multiarray\n_reconstruct\n" + base + b"R" + self.tuple_of(*state) + b"b"

    def instance(self, module: bytes, name: bytes, state: dict[bytes, bytes]) -> bytes:
        kind = b"c" + module + b"\n" + name + b"\n"
        if self.protocol == 2:
            return kind + b")\x81" + self.dict_of(state) + b"b"
        arguments = self.tuple_of(kind, b"c__builtin__\nobject\n", b"N")
        return b"ccopy_reg\n_reconstructor\n" + arguments + b"R" + self.dict_of(state) + b"b"

    def head(self, head: HeadAssets) -> bytes:
        table = {key.encode(): value for key, value in flame_table(head).items()}
        sparse = table.pop(b"J_regressor")
        written = {key: self.array_of(np.asarray(value)) for key, value in table.items()}
        state = {name: self.array_of(getattr(sparse, name.decode())) for name in (b"indices", b"indptr", b"data")}
        state |= {b"_shape": self.tuple_of(*map(self.number, sparse.shape)), b"maxprint": self.number(50)}
        written[b"J_regressor"] = self.instance(b"scipy.sparse.csc", b"csc_matrix", state)
        dirty = b"c__builtin__\nset\n" + self.tuple_of(b"(l" + self.string(b"x") + b"a") + b"R"
        shapes = self.array_of(np.asfortranarray(head.shapedirs.astype(np.float64)))
        written[b"shapedirs"] = self.instance(b"chumpy.ch", b"Ch", {b"x": shapes, b"_dirty_vars": dirty})
        written[b"bs_style"] = self.string(b"lbs")
        start = b"\x80\x02" if self.protocol == 2 else b""
        return start + self.dict_of(written) + b"."


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_pickles_of_python_2_are_read(head, tmp_path, protocol):
    path = tmp_path / "flame.pkl"
    path.write_bytes(Python2(protocol).head(head))
    assert_same(load_head(path), head)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (array(FLOATS, b"K\x02\x85", EIGHT_BYTES), "declares the shape 2 of float64, 16 bytes, but holds 8 bytes"),
        (array(FLOATS, b"I1000000000000\n\x85", EIGHT_BYTES), "declares the shape 1000000000000 of float64"),
        (array(FLOATS, b"I-1\n\x85", EIGHT_BYTES), "a size that is negative or too large"),
        (array(FLOATS, b"(I-1\nI-1\nt", EIGHT_BYTES), "a size that is negative or too large"),
        (array(FLOATS, b"(I281474976710655\nI281474976710655\nK\x00t", b"U\x00"), "negative or too large"),
        (array(FLOATS, b"(" + b"K\x01" * 500 + b"t", EIGHT_BYTES), "declares 500 dimensions"),
        (array(FLOATS, b"G\x3f\xf0" + b"\x00" * 6 + b"\x85", EIGHT_BYTES), "no tuple of whole numbers"),
        (array(FLOATS, b"\x88\x85", EIGHT_BYTES), "no tuple of whole numbers"),
        (array(FLOATS, b"](K\x01e", EIGHT_BYTES), "no tuple of whole numbers"),
        (array(FLOATS, b"N", EIGHT_BYTES), "no tuple of whole numbers"),
        (array(FLOATS, b"K\x01\x85", b"](K\x01e"), "holds objects in the place of an array's bytes"),
        (array(FLOATS, b"K\x01\x85", b"K\x01"), "holds a value of type int in the place"),
        (array(FLOATS, b"K\x01\x85", text("あ".encode() * 8)), "holds text in the place of an array's bytes"),
        (array(FLOATS, b"K\x01\x85", EIGHT_BYTES, b"N"), "in a form that numpy never wrote"),
        (array(dtype(b",,,,,", dtype_state()), b"K\x01\x85", EIGHT_BYTES), "holds items of type ',,,,,'"),
        (array(dtype(b"S8", dtype_state(size=8)), b"K\x01\x85", EIGHT_BYTES), "holds items of type 'S8'"),
        (array(dtype(b"M8", dtype_state(b"<")), b"K\x01\x85", EIGHT_BYTES), "holds items of type 'M8'"),
        (array(dtype(b"f8", dtype_state(b"|")), b"K\x01\x85", EIGHT_BYTES), "in the byte order '|'"),
        (array(dtype(b"f8", dtype_state(b"<", size=4)), b"K\x01\x85", EIGHT_BYTES), "a dtype of fields or objects"),
        (array(dtype(b"f8", dtype_state(b"<", flags=1)), b"K\x01\x85", EIGHT_BYTES), "a dtype of fields or objects"),
        (array(b"cnumpy\ndtype\n", b"K\x01\x85", EIGHT_BYTES), "is an array without a dtype"),
        (array(b"cnumpy\ndtype\n)R", b"K\x01\x85", EIGHT_BYTES), "in a form that numpy never wrote"),
        (array(b"N", b"K\x01\x85", EIGHT_BYTES), "is an array without a dtype"),
        (b"cnumpy.core.multiarray\n_reconstruct\n)R", "of another class than numpy's own"),
        (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85R", "in a form that numpy never wrote"),
        (b"cnumpy.core.multiarray\n_reconstruct\n", "is a value of type type, expected an array"),
        (b"cnumpy.core.numeric\n_frombuffer\n)R", "in a form that numpy never wrote"),
        (SCALAR + FLOATS + EIGHT_BYTES + b"\x86R", "has the shape one number, expected anyx3"),
        (SCALAR + FLOATS + b"U\x01a\x86R", "8 bytes, but holds 1 bytes"),
        (b"](](K\x01K\x02K\x03e](K\x01ee", "is a value of type list, expected an array"),
        (b"cnumpy\nndarray\nK\x05\x85R", "is an array's class, expected an array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_array_that_does_not_fit_its_bytes_is_refused_in_words(tmp_path, value, message):
    path = tmp_path / "odd.pkl"
    path.write_bytes(table_of(value))
    with pytest.raises(AssetError, match=rf"odd\.pkl: v_template .*{re.escape(message)}"):
        load_head(path)


@pytest.mark.parametrize("code", [b"\xff\xff\xff\xff", b"\x00\xd8\x00\x00"])
def test_text_of_characters_that_do_not_exist_is_refused(tmp_path, code):
    state = b"(K\x03U\x01<NNNJ\x04\x00\x00\x00J\x04\x00\x00\x00K\x08t"
    path = tmp_path / "odd.pkl"
    path.write_bytes(table_of(array(dtype(b"U1", state), b"K\x01\x85", b"U\x04" + code)))
    with pytest.raises(AssetError, match="v_template holds text with characters that do not exist"):
        load_head(path)


def places_of_opcodes(content: bytes) -> list[int]:
    """Bytes of the opcodes and of the starts of their arguments, rather than of the arrays' numbers."""
    starts = [position for _, _, position in pickletools.genops(content)] + [len(content)]
    return [place for start, end in itertools.pairwise(starts) for place in range(start, min(start + 10, end))]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_damaged_pickle_is_read_or_refused_and_does_nothing_else(head, tmp_path, protocol):
    generator = random.Random(protocol)
    content = pickle.dumps(flame_table(head), protocol=protocol)
    places, path, refused = places_of_opcodes(content), tmp_path / "flame.pkl", 0
    for _ in range(N_MUTATIONS):
        damaged = bytearray(content)
        for _ in range(generator.randint(1, 3)):
            damaged[generator.choice(places)] = generator.choice(
                [0, 1, 0x2E, 0x62, 0x52, 0xFF, generator.randrange(256)]
            )
        path.write_bytes(damaged)
        try:
            load_head(path)
        except AssetError as error:
            refused += 1
            assert str(path) in str(error)
    assert N_MUTATIONS / 3 < refused <= N_MUTATIONS


def test_a_pickle_may_be_cut_anywhere(head, tmp_path):
    content, path = pickle.dumps(flame_table(head), protocol=4), tmp_path / "flame.pkl"
    for end in range(0, len(content) - 1, 97):
        path.write_bytes(content[:end])
        with pytest.raises(AssetError, match=r"flame\.pkl is not a readable pickle"):
            load_head(path)


def test_a_large_file_is_not_read_into_memory(tmp_path):
    path = Path(tmp_path / "large.pkl")
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole, which takes no space on the disk
    with pytest.raises(AssetError, match="1099511627776 bytes, expected at most"):
        load_head(path)
