"""TensorFlow Lite models on LiteRT."""

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
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise AssetError(
                "the face models need LiteRT, which is not installed; run: pip install -e .[preprocess]"
            ) from error
        try:
            self._interpreter = Interpreter(str(path), num_threads=n_threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise AssetError(
                f"{path} is not a model that LiteRT can read; delete it and run: python scripts/fetch_assets.py"
            ) from error
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
