"""The binary part of a glTF file: numbers and images, the views of them, and the accessors that say what they are."""

import cv2
import numpy as np
import pygltflib as gl
from jaxtyping import Float, Int, UInt8

NEGLIGIBLE = 1e-5
"""Metres: where a morph target moves a vertex by less it does not move it."""
WHOLE_SHORT = 32767
"""A metre in a quantised target."""
JPEG_QUALITY = 92
WIDEST_SHORT = 65535


class BinaryContent:
    """The binary part of the file, its views and accessors."""

    def __init__(self):
        self.views: list[gl.BufferView] = []
        self.accessors: list[gl.Accessor] = []
        self.length = 0
        self._parts: list[bytes] = []

    def bytes(self) -> bytes:
        """All of it, in the order of the views."""
        return b"".join(self._parts)

    def add(self, values: np.ndarray, kind: str, target: int | None = None, *, bounds: bool = False) -> int:
        """An accessor for values [n] or [n, c]."""
        accessor = gl.Accessor(
            bufferView=self._view(values, target), componentType=_component(values), count=len(values), type=kind
        )
        if bounds:
            accessor.min, accessor.max = _bounds(values)
        return self._accessor(accessor)

    def indices(self, faces: Int[np.ndarray, "f 3"]) -> int:
        """An accessor for triangles."""
        small = faces.max(initial=0) < WIDEST_SHORT
        return self.add(faces.reshape(-1).astype(np.uint16 if small else np.uint32), gl.SCALAR, gl.ELEMENT_ARRAY_BUFFER)

    def target(self, offsets: Float[np.ndarray, "v 3"], quantise: bool) -> dict[str, int]:
        """A morph target, stored for the vertices alone that it moves where that is smaller."""
        moved = np.flatnonzero(np.linalg.norm(offsets, axis=1) > NEGLIGIBLE)
        index = moved.astype(np.uint16 if len(offsets) <= WIDEST_SHORT else np.uint32)
        # Metres, at most one, as normalised whole numbers.
        values = np.rint(WHOLE_SHORT * offsets.clip(-1, 1)).astype(np.int16) if quantise else offsets
        # Columns of an array of vertices begin at multiples of four bytes, those of a list of few do not have to.
        stride = -(-values.itemsize * 3 // 4) * 4
        accessor = gl.Accessor(
            byteOffset=None, componentType=_component(values), normalized=quantise, count=len(values), type=gl.VEC3
        )
        if index.nbytes + values[moved].nbytes >= stride * len(values):
            padded = np.pad(values, ((0, 0), (0, stride // values.itemsize - 3)))
            accessor.bufferView = self._view(padded, gl.ARRAY_BUFFER, stride)
            accessor.min, accessor.max = _bounds(values)
            return {"POSITION": self._accessor(accessor)}
        kept = np.zeros_like(values)
        kept[moved] = values[moved]
        accessor.min, accessor.max = _bounds(kept)
        if len(moved) > 0:
            accessor.sparse = gl.Sparse(
                count=len(moved),
                indices=gl.AccessorSparseIndices(bufferView=self._view(index, None), componentType=_component(index)),
                values=gl.AccessorSparseValues(bufferView=self._view(values[moved], None)),
            )
        return {"POSITION": self._accessor(accessor)}

    def image(self, texture: UInt8[np.ndarray, "h w 3"]) -> int:
        """A view of an encoded image."""
        done, data = cv2.imencode(".jpg", texture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise RuntimeError("the texture cannot be encoded as JPEG")
        return self._view(data.reshape(-1), None)

    def _accessor(self, accessor: gl.Accessor) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def _view(self, values: np.ndarray, target: int | None, stride: int | None = None) -> int:
        data = np.ascontiguousarray(values).tobytes()
        view = gl.BufferView(buffer=0, byteOffset=self.length, byteLength=len(data), byteStride=stride, target=target)
        self.views.append(view)
        padded = data + bytes(-len(data) % 4)
        self._parts.append(padded)
        self.length += len(padded)
        return len(self.views) - 1


def _component(values: np.ndarray) -> int:
    kinds = {"f4": gl.FLOAT, "u1": gl.UNSIGNED_BYTE, "i2": gl.SHORT, "u2": gl.UNSIGNED_SHORT, "u4": gl.UNSIGNED_INT}
    return kinds[values.dtype.str[1:]]


def _bounds(values: np.ndarray) -> tuple[list[float], list[float]]:
    columns = values.reshape(len(values), -1)
    return columns.min(axis=0).tolist(), columns.max(axis=0).tolist()
