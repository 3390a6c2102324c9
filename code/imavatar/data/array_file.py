"""Files of arrays (`.npz`)."""

from pathlib import Path

import numpy as np

from imavatar.files.atomic import replacing


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays by their names, compressed, in one step.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
