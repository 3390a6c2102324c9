"""The landmark model: a crop of a face to the points of a mesh and of the irises."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar.errors import AssetError
from imavatar.head.landmarks import N_LANDMARKS
from imavatar.preprocessing.tflite import FETCH_AGAIN, TfliteModel

MODEL = "face_landmarks_detector.tflite"
N_IRIS_POINTS = 5
"""The centre of an iris, then its rim; the right eye's follow the mesh, then the left one's."""
N_POINTS = N_LANDMARKS + 2 * N_IRIS_POINTS


class FaceMesh:
    """A crop of a face -> 478 points and the logit of a face being there.

    Args:
        path: of MediaPipe's bundle of models for faces, which is a zip archive.

    Raises:
        AssetError: LiteRT is not installed, or the file is not this bundle.
    """

    def __init__(self, path: Path):
        self._model = TfliteModel(path, bundled(path, MODEL))
        sizes = self._model.output_sizes
        if 3 * N_POINTS not in sizes or 1 not in sizes:
            raise AssetError(f"{path}: {MODEL} gives {sizes} numbers, expected {3 * N_POINTS} and 1; {FETCH_AGAIN}")
        self._points, self._flag = sizes.index(3 * N_POINTS), sizes.index(1)

    @property
    def input_size(self) -> int:
        """Side of the square crop, pixels."""
        return self._model.input_size

    def __call__(self, crop: Float[np.ndarray, "s s 3"]) -> tuple[Float[np.ndarray, "478 2"], float]:
        """Points in pixels of the crop (values 0...1), and the logit."""
        outputs = self._model(crop)
        points = outputs[self._points].reshape(N_POINTS, 3)[:, :2]
        return points.astype(np.float64), float(outputs[self._flag].ravel()[0])


def bundled(path: Path, name: str) -> bytes:
    """A model out of a bundle.

    Raises:
        AssetError: the file is no archive, is damaged, or has no such model.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            return bundle.read(name)
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError) as error:
        raise AssetError(f"{path}: {name} cannot be read out of it ({error}); {FETCH_AGAIN}") from error
