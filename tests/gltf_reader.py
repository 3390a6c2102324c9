"""Reads glTF files by hand, independently of what wrote them."""

import numpy as np
import pygltflib as gl


def accessor(file: gl.GLTF2, index: int) -> np.ndarray:
    """An accessor's values as they are stored, a row each."""
    own = file.accessors[index]
    kinds = {gl.FLOAT: "<f4", gl.UNSIGNED_BYTE: "u1", gl.SHORT: "<i2", gl.UNSIGNED_SHORT: "<u2", gl.UNSIGNED_INT: "<u4"}
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[own.type]

    def read(view, component, count, columns):
        start = file.bufferViews[view].byteOffset
        kind = np.dtype(kinds[component])
        stride = file.bufferViews[view].byteStride or columns * kind.itemsize
        data = np.frombuffer(file.binary_blob()[start : start + file.bufferViews[view].byteLength], np.uint8)
        rows = data.reshape(count, stride)[:, : columns * kind.itemsize]
        return np.ascontiguousarray(rows).view(kind).reshape(count, columns)

    if own.bufferView is not None:
        return read(own.bufferView, own.componentType, own.count, width)
    values = np.zeros((own.count, width), np.float32)
    if own.sparse is not None:
        rows = read(own.sparse.indices.bufferView, own.sparse.indices.componentType, own.sparse.count, 1)[:, 0]
        values[rows] = read(own.sparse.values.bufferView, own.componentType, own.sparse.count, width)
    return values
