"""TensorFlow Lite models on LiteRT."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar.errors import AssetError


class TfliteModel:
    """One model: a batch of one image in, its outputs out, each with a leading dimension of one.

    Raises:
        AssetError: LiteRT is not installed, or the file is not a model.
    """

    def __init__(self, path: Path, *, n_threads: int = 2):
        self._interpreter = _load(path, n_threads, model_path=str(path))
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()

    @property
    def input_size(self) -> int:
        """Side of the square input image, pixels."""
        return int(self._input["shape"][1])

    def __call__(self, image: Float[np.ndarray, "s s 3"]) -> list[np.ndarray]:
        """Run the model on an image in the model's own range."""
        self._interpreter.set_tensor(self._input["index"], image[None].astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output["index"]).copy() for output in self._outputs]


class Network:
    """A model of several inputs and outputs, given as the bytes of a file; leading dimensions of one are left out.

    Args:
        path: of the file that the model is from, for messages.
    """

    def __init__(self, content: bytes, path: Path, *, n_threads: int = 2):
        self._interpreter = _load(path, n_threads, model_content=content)
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    @property
    def input_size(self) -> int:
        """Rows of the first input."""
        return int(self._inputs[0]["shape"][1])

    def __call__(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs in their order."""
        for tensor, value in zip(self._inputs, values, strict=True):
            self._interpreter.set_tensor(tensor["index"], value[None].astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output["index"])[0].copy() for output in self._outputs]


def _load(path: Path, n_threads: int, **source):
    """An interpreter that is ready to run."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise AssetError(
            "the face models need LiteRT, which is not installed; run: pip install -e .[preprocess]"
        ) from error
    try:
        interpreter = Interpreter(num_threads=n_threads, **source)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise AssetError(
            f"{path} is not a model that LiteRT can read; delete it and run: python scripts/fetch_assets.py"
        ) from error
    return interpreter
