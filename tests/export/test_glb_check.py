"""Binary glTF files that are cut, damaged, or not whole in themselves, changed one by one from a good one."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imavatar.baking.baked import BakedAvatar, skeleton_of
from imavatar.errors import DataError
from imavatar.export.glb_check import check_glb
from tiny_glb import BINARY, description, packed, tiny_glb

GOOD = tiny_glb()
"""Its parts: twelve bytes of the header, a chunk of JSON, a chunk of numbers."""


def refused(content: bytes) -> str:
    with pytest.raises(DataError) as error:
        check_glb(content, "some.glb")
    message = str(error.value)
    assert message.startswith("some.glb: ") and "expected a binary glTF file" in message and "\n" not in message
    return message


def test_a_good_file_is_taken():
    check_glb(GOOD, "some.glb")


def test_what_is_written_by_the_export_is_taken(tmp_path):
    pytest.importorskip("pygltflib")
    from imavatar.export.gltf import write_glb

    vertices = np.array([[-0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [0.1, 0.1, 0.0], [-0.1, 0.1, 0.0]])
    expression = np.zeros((3, 4, 3))
    expression[0], expression[1, 2] = 0.01, 0.02
    for texture in (None, np.zeros((8, 8, 3), np.uint8)):
        avatar = BakedAvatar(
            canonical=vertices,
            vertices=vertices,
            normals=np.tile([0.0, 0.0, 1.0], (4, 1)),
            faces=np.array([[0, 1, 2], [0, 2, 3]]),
            expression=expression,
            correctives=np.zeros((36, 4, 3)),
            weights=np.tile([0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (4, 1)),
            skeleton=skeleton_of(np.zeros((5, 3)), True),
            colours=np.ones((4, 3)),
            uv=vertices[:, :2] + 0.1,
            texture=texture,
        )
        for quantise in (False, True):
            write_glb(tmp_path / "a.glb", avatar, quantise=quantise)
            check_glb((tmp_path / "a.glb").read_bytes(), "a.glb")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "begins with b''"),
        (b"PK\3\4" + GOOD[4:], r"begins with b'PK\x03\x04'"),
        (b"glTF", "ends after 4 bytes"),
        (GOOD[:12], f"has 12 bytes, and {len(GOOD)} by its header"),
        (struct.pack("<4sII", b"glTF", 2, 12), "does not begin with a chunk of JSON"),
        (GOOD[:-1], f"has {len(GOOD) - 1} bytes, and {len(GOOD)} by its header"),
        (GOOD + b"\0", f"has {len(GOOD) + 1} bytes"),
        (GOOD[:8] + struct.pack("<I", 10**9) + GOOD[12:], "and 1000000000 by its header"),
        (GOOD[:12] + struct.pack("<I", 10**9) + GOOD[16:], "the chunk at byte 12 has 1000000000 bytes"),
        (GOOD[:12] + struct.pack("<I", 6) + GOOD[16:], "the chunk at byte 12 has 6 bytes"),
        (GOOD[:16] + b"BIN\0" + GOOD[20:], "does not begin with a chunk of JSON"),
        (struct.pack("<4sII", b"glTF", 2, 16) + b"\0" * 4, "within the header of the chunk at byte 12"),
        (packed(description(), version=1), "is of version 1"),
        (packed(b"{"), "its JSON cannot be read"),
        (packed(b"\xff\xff\xff\xff"), "its JSON cannot be read"),
        (packed(b"[" * 100_000), "its JSON cannot be read"),
        (packed(b'{"asset": NaN}'), "NaN is no JSON"),
        (packed(b"[]  "), "its JSON is [], not an object"),
        (packed(description(), BINARY[:-4]), f"buffers[0] has {len(BINARY)} bytes, the file's binary part"),
    ],
)
def test_another_kind_of_file_or_one_that_is_cut_is_refused(content, found):
    assert found in refused(content)


def put(*path: str | int, to: Any) -> Callable[[dict], None]:
    """Changes one value of a description."""

    def change(json_: Any) -> None:
        for key in path[:-1]:
            json_ = json_[key]
        json_[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (put("asset", to={"version": "1.0"}), "is glTF '1.0'"),
        (put("asset", to=None), "is glTF None"),
        (put("meshes", to=[]), "has no mesh"),
        (put("meshes", to={}), "meshes is {}, not a list"),
        (put("meshes", 0, "primitives", to=[]), "meshes[0] has no primitives"),
        (put("nodes", to=[{"mesh": 0}]), "has no node with a mesh and a skin"),
        (put("nodes", 0, "mesh", to=1), "nodes[0]: mesh is 1, of 1 meshes"),
        (put("nodes", 0, "skin", to=True), "nodes[0]: skin is True, not a whole number"),
        (put("buffers", 0, "uri", to="other.bin"), "buffers[0] refers to 'other.bin'"),
        (put("images", 0, "uri", to="data:image/png;base64,"), "images[0] refers to 'data:image"),
        (put("images", 0, "extensions", to={"some": [{"uri": "a"}]}), "images[0] refers to 'a'"),
        (put("images", 0, to={}), "images[0]: bufferView is None"),
        (put("images", 0, "bufferView", to=7), "images[0]: bufferView is 7, of 7 bufferViews"),
        (put("buffers", to=[{"byteLength": 180}] * 2), "has 2 buffers"),
        (put("buffers", 0, "byteLength", to=1e2), "buffers[0]: byteLength is 100.0"),
        (put("bufferViews", 6, "byteLength", to=49), "bufferViews[6] ends at byte 181 of a buffer of 180"),
        (put("bufferViews", 0, "byteOffset", to=-4), "bufferViews[0]: byteOffset is -4"),
        (put("bufferViews", 0, "buffer", to=1), "bufferViews[0]: buffer is 1, of 1 buffers"),
        (put("bufferViews", 0, "byteStride", to=16), "accessors[0] ends at byte 44 of a view of 36"),
        (put("bufferViews", 0, "byteStride", to=8), "accessors[0]: byteStride is 8"),
        (put("accessors", 0, "count", to=4), "accessors[0] ends at byte 48 of a view of 36"),
        (put("accessors", 0, "count", to=10**30), "accessors[0] ends at byte 12"),
        (put("accessors", 0, "byteOffset", to=4), "accessors[0] ends at byte 40 of a view of 36"),
        (put("accessors", 0, "bufferView", to=9), "accessors[0]: bufferView is 9, of 7 bufferViews"),
        (put("accessors", 0, "componentType", to=5124), "accessors[0]: componentType is 5124"),
        (put("accessors", 0, "type", to=["VEC3"]), "accessors[0]: type is ['VEC3']"),
        (put("accessors", 2, "count", to=2), "accessors[2] ends at byte 128 of a view of 64"),
        (put("accessors", 1, "sparse", "count", to=4), "accessors[1].sparse changes 4 of 3 elements"),
        (put("accessors", 1, "sparse", "count", to=3), "accessors[1].sparse.indices ends at byte 6 of a view of 4"),
        (put("accessors", 1, "sparse", "count", to=2), "accessors[1].sparse.values ends at byte 24 of a view of 12"),
        (put("accessors", 1, "sparse", to=[]), "accessors[1].sparse: count is None"),
        (put("meshes", 0, "primitives", 0, "attributes", to={"NORMAL": 0}), "without POSITION"),
        (put("meshes", 0, "primitives", 0, "attributes", "POSITION", to=5), "POSITION is 5, of 5 accessors"),
        (put("meshes", 0, "primitives", 0, "targets", 0, "POSITION", to=5), "POSITION is 5, of 5 accessors"),
        (put("meshes", 0, "primitives", 0, "attributes", to={"POSITION": 0, "JOINTS_0": 3}), "without WEIGHTS_0"),
        (put("meshes", 0, "primitives", 0, "attributes", "NORMAL", to=2), "are of 1, 3 vertices"),
        (put("meshes", 0, "primitives", 0, "indices", to="0"), "indices is '0', not a whole number"),
        (put("skins", 0, "inverseBindMatrices", to=5), "skins[0]: inverseBindMatrices is 5, of 5 accessors"),
        (put("skins", 0, "joints", to=[7]), "skins[0]: joints is 7, of 2 nodes"),
        (put("skins", 0, "joints", to=[]), "skins[0]: joints is []"),
        (put("nodes", 1, "children", to=[2]), "nodes[1]: children is 2, of 2 nodes"),
        (put("animations", to=[{"samplers": [{"input": 0, "output": 5}]}]), "animations[0]: output is 5"),
        (put("extensionsRequired", to=["KHR_draco_mesh_compression"]), "needs KHR_draco_mesh_compression"),
    ],
)
def test_a_description_of_what_is_not_there_is_refused(change, found):
    content = json.loads(json.dumps(description()))
    change(content)
    assert found in refused(packed(content))
