"""TensorFlow Lite models on LiteRT."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar.errors import AssetError
from imavatar.paths import command

N_THREADS = 2
FETCH_AGAIN = f"delete it and run: {command('fetch_assets')}"


class TfliteModel:
    """One model of any number of inputs and outputs; their leading dimensions of one are left out.

    It is in the file, or with `content` in these bytes: the file is then named in messages only.

    Raises:
        AssetError: LiteRT is not installed, or this is not a model.
    """

    def __init__(self, path: Path, content: bytes | None = None):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise AssetError(
                "the face models need LiteRT, which is not installed; run: pip install -e .[preprocess]"
            ) from error
        source = {"model_path": str(path)} if content is None else {"model_content": content}
        try:
            self._interpreter = Interpreter(num_threads=N_THREADS, **source)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise AssetError(f"{path} is not a model that LiteRT can read; {FETCH_AGAIN}") from error
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    @property
    def input_size(self) -> int:
        """Rows of the first input."""
        return int(self._inputs[0]["shape"][1])

    @property
    def output_sizes(self) -> list[int]:
        """How many numbers each output has."""
        return [int(np.prod(output["shape"])) for output in self._outputs]

    def __call__(self, *values: Float[np.ndarray, "..."]) -> list[Float[np.ndarray, "..."]]:
        """Outputs in their order; images are in the model's own range."""
        for tensor, value in zip(self._inputs, values, strict=True):
            self._interpreter.set_tensor(tensor["index"], value[None].astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output["index"])[0].copy() for output in self._outputs]
