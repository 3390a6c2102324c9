"""The landmark model that looks at lips and eyes once more, without the operators that only its makers' runtime has.

The coarse mesh alone is a tenth of the mouth off where a mouth is wide open, and takes lowered lids for half open ones.
The full model crops lips and eyes out of its features by a matrix that follows from the coarse landmarks, and regresses
them again. Its three operators of its own are a few lines of geometry; what lies before and between them is cut out of
the file as two models that LiteRT runs.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, Int

from imavatar.errors import AssetError
from imavatar.head.landmarks import N_LANDMARKS
from imavatar.preprocessing.tflite import FETCH_AGAIN, NO_LITERT, TfliteModel

FILE_IDENTIFIER = b"TFL3"
MATRIX_OF, CROP_OF, MAP_BACK = "Landmarks2TransformMatrix", "TransformTensorBilinear", "TransformLandmarks"

Index: TypeAlias = int | np.integer
"""Of a tensor in a file; the schema's parser gives numpy's."""


@dataclass(frozen=True)
class Part:
    """A part of the face that is looked at again: the mesh's points in it, and how its crop lies."""

    points: Int[np.ndarray, " k"]
    left: int
    right: int
    angle: float
    scale: tuple[float, float]
    size: tuple[int, int]


class AttentionMesh:
    """A crop of a face -> 468 points and the logit of a face being there.

    Raises:
        AssetError: LiteRT is not installed, or the file is not this model.
    """

    def __init__(self, path: Path):
        graph = _Graph(path)
        matrices, crops, maps = (graph.custom(name) for name in (MATRIX_OF, CROP_OF, MAP_BACK))
        self._parts, back = [_part(op) for op in matrices], {}
        for op in maps:
            n_points = graph.rows(op.inputs[0])
            fitting = (k for k, part in enumerate(self._parts) if len(part.points) == n_points and k not in back)
            back[next(fitting, None)] = op.inputs[:2]
        outputs = [tensor for k in range(len(matrices)) for tensor in back.get(k, ())]
        if not 2 * len(matrices) == 2 * len(crops) == len(outputs) or len({op.inputs[0] for op in crops}) != 1:
            raise AssetError(f"{path} is another model than the face landmarks with attention; {FETCH_AGAIN}")
        mesh, flag = graph.outputs(3 * N_LANDMARKS), graph.outputs(1)
        coarse = graph.cut(graph.inputs, [crops[0].inputs[0], mesh, flag, *(op.inputs[0] for op in matrices)])
        self._coarse = TfliteModel(path, coarse)
        self._fine = TfliteModel(path, graph.cut([op.outputs[0] for op in (*crops, *matrices)], outputs))

    @property
    def input_size(self) -> int:
        """Side of the square crop, pixels."""
        return self._coarse.input_size

    def __call__(self, crop: Float[np.ndarray, "s s 3"]) -> tuple[Float[np.ndarray, "468 2"], float]:
        """Points in pixels of the crop (values 0...1), and the logit."""
        features, mesh, flag, *landmarks = self._coarse(crop)
        transforms = [crop_matrix(part, p.reshape(-1, 3)) for part, p in zip(self._parts, landmarks, strict=True)]
        crops = [crop_features(features, m, part.size) for m, part in zip(transforms, self._parts, strict=True)]
        fine = self._fine(*crops, *transforms)
        points = mesh.reshape(-1, 3)[:, :2].astype(np.float64)
        for part, local, matrix in zip(self._parts, fine[::2], fine[1::2], strict=True):
            points[part.points] = local @ matrix[:2, :2].T + matrix[:2, 3]
        return points, float(flag.ravel()[0])


def crop_matrix(part: Part, landmarks: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "4 4"]:
    """From pixels of a part's crop to those of the features: the box of its points, turned with the part, enlarged."""
    x, y = (landmarks[part.right] - landmarks[part.left])[:2]
    angle = np.arctan2(y, x) - part.angle
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    upright = landmarks[part.points, :2] @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    extent = (high - low) * part.scale
    matrix = np.eye(4)
    matrix[:2, :2] = turn * (extent / part.size)
    matrix[:2, 3] = turn @ ((low + high) / 2 - extent / 2)
    return matrix


def crop_features(
    features: Float[np.ndarray, "h w c"], matrix: Float[np.ndarray, "4 4"], size: tuple[int, int]
) -> Float[np.ndarray, "v u c"]:
    """Features at the crop's pixel centres, bilinear; beyond the border as at it."""
    row, column = np.mgrid[: size[1], : size[0]] + 0.5
    x, y = (matrix[k, 0] * column + matrix[k, 1] * row + matrix[k, 3] - 0.5 for k in range(2))
    maps = x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR
    channels = (np.ascontiguousarray(features[..., c]) for c in range(features.shape[2]))
    return np.stack([cv2.remap(c, *maps, borderMode=cv2.BORDER_REPLICATE) for c in channels], axis=-1)


def _part(operator: Any) -> Part:
    """What a custom operator's options say."""
    from flatbuffers import flexbuffers

    options = flexbuffers.Loads(bytes(operator.customOptions))
    return Part(
        points=np.array(options["subset_idxs"]),
        left=options["left_rotation_idx"],
        right=options["right_rotation_idx"],
        angle=options["target_rotation_radians"],
        scale=(options["scale_x"], options["scale_y"]),
        size=(options["output_width"], options["output_height"]),
    )


class _Graph:
    """A TensorFlow Lite file as its list of operators, of which parts can be cut out as files of their own."""

    def __init__(self, path: Path):
        try:
            from ai_edge_litert import schema_py_generated as schema
        except ImportError as error:
            raise AssetError(NO_LITERT) from error
        self._schema, self.path = schema, path
        self._content = path.read_bytes()
        if self._content[4:8] != FILE_IDENTIFIER:
            raise AssetError(f"{path} is not a TensorFlow Lite model; {FETCH_AGAIN}")
        try:
            self._model = self._parse()
            self._graph = self._model.subgraphs[0]
        except (ValueError, IndexError, TypeError, AttributeError, struct.error) as error:
            raise AssetError(f"{path} is damaged ({error}); {FETCH_AGAIN}") from error
        self.inputs = list(self._graph.inputs)

    def _parse(self) -> Any:
        return self._schema.ModelT.InitFromObj(self._schema.Model.GetRootAs(self._content, 0))

    def custom(self, name: str) -> list:
        """Operators of a name that is not TensorFlow Lite's own."""
        codes = self._model.operatorCodes
        return [op for op in self._graph.operators if codes[op.opcodeIndex].customCode == name.encode()]

    def rows(self, tensor: Index) -> int:
        """Second dimension of a tensor [1, n, ...]."""
        return int(self._graph.tensors[tensor].shape[1])

    def outputs(self, size: int) -> Index:
        """The model's output with a number of values.

        Raises:
            AssetError: there is none.
        """
        for tensor in self._graph.outputs:
            if np.prod(self._graph.tensors[tensor].shape) == size:
                return tensor
        raise AssetError(f"{self.path} has no output of {size} values; {FETCH_AGAIN}")

    def cut(self, inputs: Sequence[Index], outputs: Sequence[Index]) -> bytes:
        """The operators between tensors as a model."""
        import flatbuffers

        model = self._parse()
        graph = model.subgraphs[0]
        needed = _operators_between(graph.operators, inputs, outputs)
        graph.operators = [graph.operators[index] for index in needed]
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model.signatureDefs = model.metadata = None
        builder = flatbuffers.Builder(len(self._content))
        builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())


def _operators_between(operators: list, inputs: Iterable[Index], outputs: Iterable[Index]) -> list[int]:
    """Indices of the operators that the outputs need, given the inputs, in order."""
    maker = {tensor: index for index, op in enumerate(operators) for tensor in op.outputs}
    given, needed, open_tensors = set(inputs), set(), list(outputs)
    while open_tensors:
        tensor = open_tensors.pop()
        index = maker.get(tensor)
        if tensor in given or index is None or index in needed:
            continue
        needed.add(index)
        open_tensors.extend(operators[index].inputs)
    return sorted(needed)
