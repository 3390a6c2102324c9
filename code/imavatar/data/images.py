"""PNG files to images and semantic channels in the model's ranges, and back.

Colours are in [-1, 1] from here to the losses. Files and memory hold bytes.
"""

import struct
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor

from imavatar.anatomy import PARSING_LABELS, SemanticClass
from imavatar.data.workplace import write_errors
from imavatar.errors import DataError
from imavatar.files.atomic import write_bytes
from imavatar.names import shown

FOREGROUND_THRESHOLD = 127.5
"""Grey value above which a mask's pixel is foreground (docs/data_format.md, section 5)."""

N_CLASSES = len(SemanticClass)

PNG_SIGNATURE = b"\x89PNG"
PNG_SIZE_AT = 16
"""Bytes before width and height, of four bytes each."""
MAX_SIDE = 16384
"""Pixels of an image's side; a square of it takes 0.8 GB, and as much again as a mask in single precision."""
PNG_END = b"IEND"
"""Type of the chunk that closes a PNG; a file without it was cut off."""


def read_colour(path: Path, described_as: str) -> UInt8[np.ndarray, "h w 3"]:
    """The RGB image of a PNG, which messages call `described_as` ("image"); an alpha channel is dropped.

    Raises:
        DataError: the file is missing, cut off, or no image of a size that can be meant.
    """
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR, described_as), cv2.COLOR_BGR2RGB)


def read_grey(path: Path, described_as: str) -> UInt8[np.ndarray, "h w"]:
    """The grey image of a PNG; arguments and errors as of `read_colour`."""
    return _decode(path, cv2.IMREAD_GRAYSCALE, described_as)


def read_stored(path: Path, described_as: str) -> Shaped[np.ndarray, "h w *c"]:
    """The pixels of a file as stored: grey, BGR or BGRA, of any depth, not turned; arguments and errors as above."""
    return _decode(path, cv2.IMREAD_UNCHANGED, described_as)


def _decode(path: Path, flags: int, described_as: str) -> Shaped[np.ndarray, "h w *c"]:
    """The pixels of a file. A PNG's end is checked first: some decoders fill a truncated image with grey."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: the {described_as} is missing; restore the file, or remove the frame from the JSON"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: the {described_as} cannot be read ({error.strerror})") from error
    complete = bool(content) and (PNG_END in content or not content.startswith(PNG_SIGNATURE))
    _check_size(content, path, described_as)
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if complete else None
    except cv2.error as error:
        raise DataError(f"{path}: the {described_as} cannot be decoded ({shown(str(error))})") from error
    if pixels is None:
        raise DataError(
            f"{path}: the {described_as} is not a complete image ({len(content)} bytes); copy or create the file again"
        )
    return pixels


def check_png_size(path: Path, described_as: str) -> None:
    """See that a PNG announces no more pixels than can be meant, before they are decoded.

    Raises:
        DataError: it does, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            _check_size(file.read(PNG_SIZE_AT + 8), path, described_as)
    except OSError as error:
        raise DataError(f"{path}: the {described_as} cannot be read ({error.strerror})") from error


def _check_size(content: bytes, path: Path, described_as: str) -> None:
    if content.startswith(PNG_SIGNATURE) and len(content) >= PNG_SIZE_AT + 8:
        width, height = struct.unpack_from(">II", content, PNG_SIZE_AT)
        if max(width, height) > MAX_SIDE:
            found = f"says that it has {width} x {height} pixels"
            raise DataError(f"{path}: the {described_as} {found}, expected at most {MAX_SIDE} a side")


def write_png(path: Path, pixels: UInt8[np.ndarray, "h w *c"]) -> None:
    """Write a grey or RGB image in one step.

    Raises:
        DataError: it cannot be written.
    """
    if pixels.dtype != np.uint8:
        raise ValueError(f"PNG files hold bytes, not {pixels.dtype}")
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    encoded = cv2.imencode(".png", stored)[1]
    with write_errors(path):
        write_bytes(path, encoded.tobytes())


def resize_colour(image: UInt8[np.ndarray, "h w 3"], height: int, width: int) -> UInt8[np.ndarray, "height width 3"]:
    """The image at another size: averaged over areas when it shrinks, bilinear when it grows.

    Averaging keeps a shrunk image free of aliasing, which the networks would otherwise learn.
    """
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=interpolation)


def resize_bilinear(
    values: Float[np.ndarray, "h w *c"], height: int, width: int
) -> Float[np.ndarray, "height width *c"]:
    """Masks and soft channels at another size, bilinear between the four nearest pixels."""
    if values.shape[:2] == (height, width):
        return values
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)


def foreground_of(mask: UInt8[np.ndarray, "h w"], height: int, width: int) -> Bool[np.ndarray, "height width"]:
    """Which pixels are foreground: grey above 127.5 after a bilinear resize."""
    return resize_bilinear(mask.astype(np.float32), height, width) > FOREGROUND_THRESHOLD


def on_white(image: UInt8[np.ndarray, "h w 3"], foreground: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The image with its background white.

    The binary foreground decides, not the mask's grey value: a half transparent edge would mix white into colours that
    the loss compares on foreground pixels.
    """
    return np.where(foreground[..., None], image, np.uint8(255))


def to_signed_range(image: UInt8[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """Bytes 0...255 as colours in [-1, 1]."""
    return image.to(torch.float32) / 255 * 2 - 1


def class_of_label() -> UInt8[np.ndarray, " 256"]:
    """The semantic class of every byte; labels that no class names are background."""
    table = np.full(256, SemanticClass.BACKGROUND, dtype=np.uint8)
    for semantic_class, labels in PARSING_LABELS.items():
        table[list(labels)] = semantic_class
    return table


def one_hot(labels: UInt8[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 9"]:
    """One channel a class: 1 where a label belongs to it, 0 elsewhere."""
    return np.eye(N_CLASSES, dtype=np.float32)[class_of_label()[labels]]


def soft_channels(labels: UInt8[np.ndarray, "h w"], height: int, width: int) -> Float[np.ndarray, "height width 9"]:
    """The channels at another size, each resized bilinearly (docs/data_format.md, section 6).

    A pixel has a class where its channel is exactly 1, so sums that rounding has moved beside 1 are put back.
    """
    channels = one_hot(labels)
    if labels.shape == (height, width):
        return channels
    soft = resize_bilinear(channels, height, width)
    return np.where(soft > 1 - 1e-6, np.float32(1), soft)
