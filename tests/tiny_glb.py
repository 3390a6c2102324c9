"""A small binary glTF file of a skinned triangle with one morph target, put together by hand."""

import json
import struct
from typing import Any

BYTE, SHORT, FLOAT = 5121, 5123, 5126


def description() -> dict[str, Any]:
    """Its JSON: positions, a sparse target, a matrix, an image of four bytes, joints and weights."""
    return {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": len(BINARY)}],
        "bufferViews": [
            {"buffer": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": 4},
            {"buffer": 0, "byteOffset": 40, "byteLength": 12},
            {"buffer": 0, "byteOffset": 52, "byteLength": 64},
            {"buffer": 0, "byteOffset": 116, "byteLength": 4},
            {"buffer": 0, "byteOffset": 120, "byteLength": 12},
            {"buffer": 0, "byteOffset": 132, "byteLength": 48},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": FLOAT, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {
                "componentType": FLOAT,
                "count": 3,
                "type": "VEC3",
                "sparse": {
                    "count": 1,
                    "indices": {"bufferView": 1, "componentType": SHORT},
                    "values": {"bufferView": 2},
                },
            },
            {"bufferView": 3, "componentType": FLOAT, "count": 1, "type": "MAT4"},
            {"bufferView": 5, "componentType": BYTE, "count": 3, "type": "VEC4"},
            {"bufferView": 6, "componentType": FLOAT, "count": 3, "type": "VEC4"},
        ],
        "images": [{"bufferView": 4, "mimeType": "image/jpeg"}],
        "meshes": [
            {
                "primitives": [
                    {"attributes": {"POSITION": 0, "JOINTS_0": 3, "WEIGHTS_0": 4}, "targets": [{"POSITION": 1}]}
                ]
            }
        ],
        "skins": [{"joints": [1], "inverseBindMatrices": 2}],
        "nodes": [{"mesh": 0, "skin": 0}, {}],
        "scenes": [{"nodes": [0, 1]}],
        "scene": 0,
    }


BINARY = (
    struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)
    + struct.pack("<2H", 2, 0)
    + struct.pack("<3f", 0, 0.5, 0)
    + struct.pack("<16f", *(float(k % 5 == 0) for k in range(16)))
    + b"\xff\xd8\xff\xd9"
    + bytes(12)
    + struct.pack("<12f", *(float(k % 4 == 0) for k in range(12)))
)


def packed(content: dict[str, Any] | bytes, binary: bytes = BINARY, *, version: int = 2) -> bytes:
    """A file of a description, or of what stands in its place."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", version, 12 + len(chunks)) + chunks


def tiny_glb() -> bytes:
    """The file."""
    return packed(description())
