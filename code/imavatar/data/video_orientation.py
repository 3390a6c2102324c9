"""How a stored picture has to be turned and mirrored to be upright."""

import math
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

MATRIX_BYTES = 36
"""Of a display matrix: nine integers of 32 bits, in the machine's order."""
ROUNDED = 1.0
"""Degrees from a right angle that are not worth a word."""

EXIF_ORIENTATIONS = {1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 3), 6: (False, 1)}
EXIF_ORIENTATIONS |= {7: (True, 1), 8: (False, 3)}
"""Whether the picture is mirrored, and the turns, by the number in EXIF."""


@dataclass(frozen=True)
class Orientation:
    """First the picture is mirrored, left to right, then it is turned.

    Attributes:
        mirrored: whether it is mirrored.
        turns: quarter turns clockwise, 0 to 3.
        degrees: the angle that was asked for, clockwise; `turns` is the next right one.
    """

    mirrored: bool = False
    turns: int = 0
    degrees: float = 0.0

    @classmethod
    def of_matrix(cls, content: bytes) -> "Orientation":
        """Of a display matrix; upright where it is no matrix that shows anything.

        Its first two rows say where the stored picture's axes, right and down, go.
        """
        if len(content) < MATRIX_BYTES:
            return cls()
        a, b, _, c, d, *_ = struct.unpack("=9i", content[:MATRIX_BYTES])
        if a * d == b * c:
            return cls()
        mirrored = a * d < b * c
        degrees = math.degrees(math.atan2(-b, -a) if mirrored else math.atan2(b, a)) % 360
        return cls(mirrored, round(degrees / 90) % 4, degrees)

    @classmethod
    def of_exif(cls, number: int) -> "Orientation":
        """Of the number that EXIF knows it by; upright for others."""
        mirrored, turns = EXIF_ORIENTATIONS.get(number, (False, 0))
        return cls(mirrored, turns, 90.0 * turns)

    @property
    def is_rounded(self) -> bool:
        """Whether the picture stays tilted."""
        return abs((self.degrees - 90 * self.turns + 180) % 360 - 180) > ROUNDED

    def apply(self, image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h2 w2 c"]:
        """The upright picture."""
        if self == Orientation():
            return image
        image = image[:, ::-1] if self.mirrored else image
        return np.ascontiguousarray(np.rot90(image, -self.turns))
