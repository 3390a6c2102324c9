"""Pictures that repeat the one before: slideshows, and slow recordings in fast files."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

BLOCKS, LEAST_BLOCK = 16, 8
"""Along both sides; their means are compared. Pixels along a block's side below which a picture isn't halved first."""
NOISE = 0.1
"""Grey levels of 255, root mean square over the blocks. Encoders change a still picture by 0 to 0.1 from frame to
frame, rarely by 0.2; a person who sits still, filmed, changes by 0.12 and more."""


class Repeats:
    """Sees which pictures of a sequence show something new."""

    def __init__(self) -> None:
        self._before: Float[np.ndarray, "b b"] | None = None

    def is_new(self, image: UInt8[np.ndarray, "h w 3"]) -> bool:
        """Whether the next picture differs from the one before by more than what encoders do to a still picture."""
        # All rows of a large picture would say no more.
        rows = image[:: max(1, len(image) // (4 * BLOCKS * LEAST_BLOCK))]
        small = cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY)
        while min(small.shape) >= 2 * BLOCKS * LEAST_BLOCK:
            # Halving is much quicker than other factors.
            height, width = (n // 2 for n in small.shape)
            small = cv2.resize(small[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
        blocks = cv2.resize(small.astype(np.float32), (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
        before, self._before = self._before, blocks
        return before is None or float(np.sqrt(np.mean((blocks - before) ** 2))) > NOISE
