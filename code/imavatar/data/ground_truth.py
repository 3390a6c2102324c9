"""What is known of a frame besides its pictures: normals, depth, and where both are exact. Files beside the images."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from imavatar.data.images import FOREGROUND_THRESHOLD, read_grey, write_png
from imavatar.data.normals import (
    NORMALS,
    decode_normals,
    encode_normals,
    read_normals_file,
    write_normals_file,
    write_png16,
)
from imavatar.errors import DataError

DEPTH, EXACT = "ground_truth/depth", "ground_truth/exact"
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
    write_normals_file(recording / NORMALS / f"{name}.png", encode_normals(truth.normals))
    depth = np.rint(truth.depth / DEPTH_STEP).clip(0, 2**16 - 1).astype(np.uint16)
    write_png16(recording / DEPTH / f"{name}.png", depth)
    write_png(recording / EXACT / f"{name}.png", np.where(truth.exact, 255, 0).astype(np.uint8))


def read_ground_truth(recording: Path, name: str) -> GroundTruth:
    """Read it again.

    Raises:
        DataError: a file is missing or of another kind, or they differ in size.
    """
    normals = decode_normals(read_normals_file(recording / NORMALS / f"{name}.png"))
    depth = read_depth(recording / DEPTH / f"{name}.png")
    exact = read_exact(recording / EXACT / f"{name}.png")
    if not normals.shape[:2] == depth.shape == exact.shape:
        raise DataError(
            f"{recording}: the ground truth of frame {name} differs in size: normals {normals.shape[:2]}, depth "
            f"{depth.shape}, exact {exact.shape}"
        )
    return GroundTruth(normals, depth, exact)


def read_depth(path: Path) -> Float[np.ndarray, "h w"]:
    """Metres; 0 where nothing is seen.

    Raises:
        DataError: the file is missing or no 16-bit grey image.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise DataError(f"{path}: is missing or not a 16-bit grey image, as depths are")
    return pixels.astype(np.float32) * DEPTH_STEP


def read_exact(path: Path) -> Bool[np.ndarray, "h w"]:
    """Where normals and depth are exact.

    Raises:
        DataError: the file is missing or no image.
    """
    return read_grey(path, "mask of what is exact") > FOREGROUND_THRESHOLD
