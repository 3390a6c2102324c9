"""Normals as 16-bit images: what is known of a recording besides its pictures."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt16

from imavatar.data.workplace import write_errors
from imavatar.errors import DataError
from imavatar.files.atomic import write_bytes

NORMALS = "ground_truth/normal"
"""Folder beside `image`, where normals are known; files are named as the images."""
STEPS = 2**15 - 1


def encode_normals(normals: Float[np.ndarray, "h w 3"]) -> UInt16[np.ndarray, "h w 3"]:
    """Components from -1 to 1 as 1...65535; 0 where there is no normal."""
    known = np.abs(normals).sum(axis=-1, keepdims=True) > 0
    return np.where(known, np.rint(normals * STEPS) + STEPS + 1, 0).astype(np.uint16)


def decode_normals(pixels: UInt16[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Unit normals (world space); 0 where there is none."""
    known = pixels.any(axis=-1, keepdims=True)
    normals = (pixels.astype(np.float32) - (STEPS + 1)) / STEPS
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    return np.where(known, normals, np.float32(0))


def write_normals_file(path: Path, pixels: UInt16[np.ndarray, "h w 3"]) -> None:
    """Write what `encode_normals` gives, x in the red channel; a failure names the file."""
    write_png16(path, pixels[..., ::-1])


def write_png16(path: Path, pixels: UInt16[np.ndarray, "h w *c"]) -> None:
    """Write a 16-bit PNG, blue in the first channel of colours, in one step.

    Raises:
        DataError: it cannot be written.
    """
    encoded = cv2.imencode(".png", pixels)[1]
    with write_errors(path):
        write_bytes(path, encoded.tobytes())


def read_normals_file(path: Path) -> UInt16[np.ndarray, "h w 3"]:
    """Read it again.

    Raises:
        DataError: the file is missing or no 16-bit colour image.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise DataError(f"{path}: is missing or not a 16-bit colour image, as normals are")
    return pixels[..., ::-1].copy()
