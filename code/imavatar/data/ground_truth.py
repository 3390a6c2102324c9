"""What is known of a frame besides its pictures: normals, depth, and where both are exact. Files beside the images."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt16

from imavatar.data.images import FOREGROUND_THRESHOLD, read_grey, write_png
from imavatar.data.workplace import write_errors
from imavatar.errors import DataError
from imavatar.files.atomic import write_bytes

NORMALS, DEPTH, EXACT = "ground_truth/normal", "ground_truth/depth", "ground_truth/exact"
"""Folders beside `image`; files are named as the images."""
NORMAL_STEPS = 2**15 - 1
DEPTH_STEP = 1e-4
"""Metres a step of the depth images: 16 bits reach 6.5 m."""


@dataclass(frozen=True)
class GroundTruth:
    """Of one frame. `normals` are unit vectors in world space, `depth` metres along the viewing direction; both are 0
    where no surface is seen. `exact` is where the surface seen is what the picture shows: not hair or glasses.
    """

    normals: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    exact: Bool[np.ndarray, "h w"]


def write_ground_truth(recording: Path, name: str, truth: GroundTruth) -> None:
    """Write a frame's files into a recording's folder; a failure names the file."""
    for folder in (NORMALS, DEPTH, EXACT):
        (recording / folder).mkdir(parents=True, exist_ok=True)
    write_normals(recording / NORMALS / f"{name}.png", truth.normals)
    depth = np.rint(truth.depth / DEPTH_STEP).clip(0, 2**16 - 1).astype(np.uint16)
    _write_png16(recording / DEPTH / f"{name}.png", depth)
    write_png(recording / EXACT / f"{name}.png", np.where(truth.exact, 255, 0).astype(np.uint8))


def read_ground_truth(recording: Path, name: str) -> GroundTruth:
    """Read it again.

    Raises:
        DataError: a file is missing or of another kind, or they differ in size.
    """
    normals = read_normals(recording / NORMALS / f"{name}.png")
    depth = read_depth(recording / DEPTH / f"{name}.png")
    exact = read_exact(recording / EXACT / f"{name}.png")
    if not normals.shape[:2] == depth.shape == exact.shape:
        raise DataError(
            f"{recording}: the ground truth of frame {name} differs in size: normals {normals.shape[:2]}, depth "
            f"{depth.shape}, exact {exact.shape}"
        )
    return GroundTruth(normals, depth, exact)


def write_normals(path: Path, normals: Float[np.ndarray, "h w 3"]) -> None:
    """Write unit normals as a 16-bit image: x in red, components from -1 to 1 as 1...65535; 0 where there is none.

    Raises:
        DataError: the file cannot be written.
    """
    known = np.abs(normals).sum(axis=-1, keepdims=True) > 0
    pixels = np.where(known, np.rint(normals * NORMAL_STEPS) + NORMAL_STEPS + 1, 0).astype(np.uint16)
    _write_png16(path, pixels[..., ::-1])


def read_normals(path: Path) -> Float[np.ndarray, "h w 3"]:
    """Unit normals (world space); 0 where there is none.

    Raises:
        DataError: the file is missing or no 16-bit colour image.
    """
    pixels = _read_png16(path, 3, "a 16-bit colour image, as normals are")[..., ::-1]
    known = pixels.any(axis=-1, keepdims=True)
    normals = (pixels.astype(np.float32, order="C") - (NORMAL_STEPS + 1)) / NORMAL_STEPS
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    return np.where(known, normals, np.float32(0))


def read_depth(path: Path) -> Float[np.ndarray, "h w"]:
    """Metres; 0 where nothing is seen.

    Raises:
        DataError: the file is missing or no 16-bit grey image.
    """
    return _read_png16(path, 2, "a 16-bit grey image, as depths are").astype(np.float32) * DEPTH_STEP


def read_exact(path: Path) -> Bool[np.ndarray, "h w"]:
    """Where normals and depth are exact.

    Raises:
        DataError: the file is missing or no image.
    """
    return read_grey(path, "mask of what is exact") > FOREGROUND_THRESHOLD


def _write_png16(path: Path, pixels: UInt16[np.ndarray, "h w *c"]) -> None:
    """Write an image in one step, blue in the first channel of colours."""
    encoded = cv2.imencode(".png", pixels)[1]
    with write_errors(path):
        write_bytes(path, encoded.tobytes())


def _read_png16(path: Path, ndim: int, expected: str) -> UInt16[np.ndarray, "h w *c"]:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != ndim:
        raise DataError(f"{path}: is missing or not {expected}")
    return pixels
