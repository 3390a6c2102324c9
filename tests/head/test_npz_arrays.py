"""Archives of arrays: sizes are compared before they are believed, and every fault is named with its array."""

import io
import os
import random
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from head_files import assert_same, read_elsewhere, tiny_head
from imavatar.errors import AssetError
from imavatar.head.assets import HeadAssets, load_head, save_head
from imavatar.head.npz_arrays import read_npz_arrays

N_MUTATIONS = 200
SHARED = Path(os.environ.get("IMAVATAR_SHARED", Path(__file__).parents[2].parent / "shared"))
REFERENCE_HEAD = SHARED / "data" / "parity" / "head_model.npz"


@pytest.fixture(scope="module")
def head() -> HeadAssets:
    return tiny_head()


@pytest.fixture
def saved(head, tmp_path) -> Path:
    save_head(tmp_path / "head.npz", head)
    return tmp_path / "head.npz"


def npy(descr: str, shape: str, data: bytes = b"", version: int = 1) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + data


def with_member(path: Path, name: str, content: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """The archive with one array's member replaced."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[f"{name}.npy"] = content
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def pickled_objects() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([None] * 3), allow_pickle=True)
    return stream.getvalue()


def patched(path: Path, local: int, central: int, value: int) -> Path:
    """The archive with a field of two bytes changed in all of its headers, at the places of the zip format."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        for found in re.finditer(re.escape(signature), bytes(content)):
            struct.pack_into("<H", content, found.start() + offset, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)),
        np.zeros((0, 3), np.int8),
        np.array(["skin", "é"]),
        np.array(3),
        np.array([True, False]),
    ],
    ids=lambda array: f"{array.dtype.str} {array.shape}",
)
def test_arrays_are_read_as_numpy_wrote_them(tmp_path, array, compressed):
    (np.savez_compressed if compressed else np.savez)(tmp_path / "arrays.npz", array=array)
    read = read_npz_arrays(tmp_path / "arrays.npz")["array"]
    np.testing.assert_array_equal(read, array)
    assert read.flags.writeable and read.dtype == array.dtype.newbyteorder("=")


def test_a_header_of_the_second_format_is_read(saved, head):
    with_member(saved, "f", npy("'<i8'", "(4, 3)", head.faces.astype("<i8").tobytes(), version=2))
    assert_same(load_head(saved), head)


def test_members_that_are_no_arrays_are_left_alone(saved, head):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("README.txt", "A head.")
    assert_same(load_head(saved), head)


@pytest.mark.skipif(not REFERENCE_HEAD.exists(), reason="the authors' outputs (shared/data/parity) are not here")
def test_the_authors_head_is_read():
    head = load_head(REFERENCE_HEAD)
    with np.load(REFERENCE_HEAD) as stored:
        np.testing.assert_array_equal(head.v_template, stored["v_template"])
        np.testing.assert_array_equal(head.faces, stored["f"])
        np.testing.assert_array_equal(head.shapedirs, stored["shapedirs"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy("'<f4'", "(1000000000000, 3)"), "declares the shape 1000000000000x3 of float32, 12000000000000 bytes"),
        (npy("'<f4'", "(4, 3)", b"abc"), "declares the shape 4x3 of float32, 48 bytes, but holds 3 bytes"),
        (npy("'<f4'", f"({10**30}, 3)"), "a size that is negative or too large"),
        (npy("'<f4'", "(-1, 3)"), "a size that is negative or too large"),
        (npy("'<f4'", "(1.5, 3)"), "cannot be read"),
        (npy("'<f4'", "(True, 3)", bytes(12)), "no tuple of whole numbers"),
        (npy("'<f4'", f"({'1, ' * 30})", b"abcd"), "declares 30 dimensions"),
        (npy("'<f4'", "(" * 5000 + ")" * 5000), "cannot be read"),
        (npy("'<f4'", "(" * 400 + ")" * 400), "cannot be read"),
        (npy("'<f4'", "[" * 400), "cannot be read"),
        (npy("'<f4'", "-" * 800 + "1"), "cannot be read"),
        (npy("',,,,,'", "(4, 3)"), "cannot be read"),
        (npy("'|O'", "(4, 3)"), "holds objects, expected numbers"),
        (npy("[('a', '|O')]", "(4, 3)"), "holds objects, expected numbers"),
        (npy("[('a', '<f4')]", "(4, 3)", bytes(48)), "holds items of type 'V4'"),
        (npy("'<c8'", "(4, 3)", bytes(96)), "holds items of type 'c8'"),
        (npy("'<M8[s]'", "(4, 3)", bytes(96)), "holds items of type 'M8[s]'"),
        (npy("'|V2147483647'", "(0, 3)"), "holds items of type"),
        (pickled_objects(), "holds objects, expected numbers"),
        (b"no array", "cannot be read"),
        (b"", "cannot be read"),
        (b"\x93NUMPY\x03\x00", "is an array of format (3, 0)"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "cannot be read"),
        (npy("'<U1'", "(1,)", b"\xff\xff\xff\xff"), "holds text with characters that do not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_made_up_array_is_named(saved, content, message):
    with pytest.raises(AssetError, match=rf"head\.npz: v_template .*{re.escape(message)}"):
        load_head(with_member(saved, "v_template", content))


def test_an_encrypted_member_is_named(saved):
    with pytest.raises(AssetError, match=r"head\.npz: v_template is encrypted"):
        load_head(patched(saved, 6, 8, 0x1))


def test_a_compression_that_zipfile_does_not_know_is_named(saved):
    with pytest.raises(AssetError, match=r"head\.npz: v_template is compressed by method 97, expected"):
        load_head(patched(saved, 8, 10, 97))


@pytest.mark.parametrize("flag", [0x20, 0x40])
def test_other_features_of_zip_are_refused(saved, flag):
    with pytest.raises(AssetError, match=r"head\.npz: v_template cannot be read"):
        load_head(patched(saved, 6, 8, flag))


def test_a_wrong_checksum_is_noticed(saved, head):
    content = bytearray(saved.read_bytes())
    place = content.index(head.shapedirs.tobytes()[:64])
    content[place] ^= 1
    saved.write_bytes(content)
    with pytest.raises(AssetError, match=r"head\.npz: shapedirs cannot be read"):
        load_head(saved)


def test_two_arrays_of_one_name_are_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("f.npy", b"")
    with pytest.raises(AssetError, match="two arrays have the same name"):
        load_head(saved)


def test_a_small_archive_of_very_much_is_refused_before_it_is_unpacked(saved):
    """In a process of its own: zeros take a thousandth of their size when compressed."""
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v_template.npy", npy("'<f4'", "(4, 3)", bytes(2**24)))
    bomb = bytearray(saved.read_bytes())
    directory = bomb.index(b"PK\x01\x02")
    struct.pack_into("<I", bomb, directory + 24, 2**32 - 2)
    saved.write_bytes(bomb)
    (said,) = read_elsewhere([saved])
    assert re.match(r"AssetError: .*4294967294 bytes of arrays, expected at most 2147483648", said)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02N.", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_of_a_head_is_named(tmp_path, content):
    path = tmp_path / "head.npz"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"head\.npz(: no v_template; found nothing| cannot be read as an .npz file)"):
        load_head(path)


def test_a_damaged_archive_is_read_or_refused_and_does_nothing_else(saved):
    generator, content, refused = random.Random(0), saved.read_bytes(), 0
    headers = [found.start() for found in re.finditer(rb"PK\x01\x02|PK\x03\x04|PK\x05\x06|\x93NUMPY", content)]
    for _ in range(N_MUTATIONS):
        damaged = bytearray(content)
        place = generator.choice(headers) + generator.randrange(100)
        damaged[min(place, len(content) - 1)] = generator.randrange(256)
        saved.write_bytes(damaged)
        try:
            load_head(saved)
        except AssetError as error:
            refused += 1
            assert str(saved) in str(error)
    assert N_MUTATIONS / 3 < refused <= N_MUTATIONS
