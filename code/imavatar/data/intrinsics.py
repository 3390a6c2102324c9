"""A recording's focal lengths and principal point, and the unit that its file has them in (docs/data_format.md)."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar.data.json_values import Json, describe, numbers
from imavatar.errors import DataError

UNIT_KEY = "intrinsics_unit"
IMAGE_SIZES = "image_sizes"
"""The value of UNIT_KEY in all files that this project writes."""

PIXELS_OF = 512
"""Where a file's intrinsics are in pixels, they are of an image of this size."""
LEAST_IN_PIXELS = 45.0
"""The geometric mean of 2 and 1024, which are the same usual focal length in image sizes and in pixels.

A focal length of 45 image sizes is a view of 1.3 degrees, one of 45 pixels of 512 a view of 160 degrees; a principal
point 45 image sizes away would be that of a crop of less than a hundredth of its video's width.
"""
MAX_NUMBER = 1.0e6
"""Pixels; beyond it a file is damaged."""
MIN_FOCAL = 1.0e-3
"""Of the image's size: rays are divided by it."""


def parse_intrinsics(tree: Json, path: Path) -> Float[np.ndarray, " 4"]:
    """fx, fy, cx, cy in units of the image size, fx negative, of a file's JSON tree.

    A file without UNIT_KEY, as the authors' are, has pixels where the fourth number exceeds 1, and at least one number
    is so large that image sizes cannot be meant. Else a principal point below the picture, as of a head that was
    cropped from the top of a tall video, would be taken for pixels.

    Args:
        path: of the file, for errors.

    Raises:
        DataError: numbers are missing, wrong or out of range, or the unit is not known.
    """
    found = numbers(tree, "intrinsics", str(path), (4,), MAX_NUMBER)
    unit = tree.get(UNIT_KEY)
    if unit not in (None, IMAGE_SIZES):
        raise DataError(
            f"{path}: {UNIT_KEY} is {describe(unit)}, expected {IMAGE_SIZES!r}, or no such key: then pixels of an "
            f"image of {PIXELS_OF} are recognised by their size"
        )
    intrinsics = found / PIXELS_OF if unit is None and _in_pixels(found) else found
    if not (intrinsics[0] < 0 < intrinsics[1]):
        raise DataError(
            f"{path}: intrinsics are {intrinsics.tolist()}, expected fx < 0 and fy > 0: "
            "the camera looks along -z, and these files carry its sign in fx"
        )
    if min(-intrinsics[0], intrinsics[1]) < MIN_FOCAL:
        raise DataError(
            f"{path}: intrinsics are {intrinsics.tolist()}, expected focal lengths of at least {MIN_FOCAL} of the "
            "image's size"
        )
    return intrinsics


def _in_pixels(intrinsics: Float[np.ndarray, " 4"]) -> bool:
    return bool(intrinsics[3] > 1 and np.abs(intrinsics).max() > LEAST_IN_PIXELS)
