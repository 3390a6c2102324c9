"""One decoded frame as an upright RGB image with square pixels, of standard dynamic range."""

from dataclasses import dataclass

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from imavatar.data.video_orientation import Orientation
from imavatar.data.video_tone import BT709, CHROMATICITIES, HLG, LUMA_WEIGHTS, PQ, RGB, SDR, ToneMapping, Transfer

Image = UInt8[np.ndarray, "h w 3"]

TRANSFERS: dict[int, Transfer] = {16: PQ, 18: HLG}
"""By the number of the transfer characteristics (ITU-T H.273); all others are of standard range."""
BT601, BT2020 = 5, 9
HD_WIDTH, SD_HEIGHT = 1280, 576
"""Pixels: from this width, and above this height, pictures are of the matrix BT.709 where the file doesn't say."""
LIMITED_RANGE, FULL_RANGE = 1, 2
BACKGROUND = 255
"""Grey level that is seen through transparent pixels."""
MAX_PIXEL_ASPECT = 8.0
"""A pixel that is wider or higher than this is a mistake in the file."""
SAME_ASPECT = 0.02
"""Relative difference of two pictures' width over height that rounding explains."""


@dataclass(frozen=True)
class Colours:
    """What a frame's numbers mean.

    Attributes:
        transfer: the dynamic range.
        matrix, primaries: numbers of ITU-T H.273.
        full_range: see `ToneMapping`.
        bits: per sample.
    """

    transfer: Transfer
    matrix: int
    primaries: int
    full_range: bool
    bits: int

    @classmethod
    def of(cls, frame: av.VideoFrame, characteristics: int, primaries: int) -> "Colours":
        """Of a frame as decoded; what the file doesn't say is what players assume.

        Args:
            characteristics: number of the transfer characteristics.
            primaries: number of the primaries.
        """
        transfer, matrix = TRANSFERS.get(characteristics, SDR), int(frame.colorspace)
        if frame.format.is_rgb or len(frame.format.components) < 3:
            # Grey has no matrix either.
            matrix = RGB
        elif matrix not in LUMA_WEIGHTS:
            is_hd = frame.width >= HD_WIDTH or frame.height > SD_HEIGHT
            matrix = BT2020 if transfer != SDR else BT709 if is_hd else BT601
        if primaries not in CHROMATICITIES:
            primaries = BT2020 if transfer != SDR else BT709
        full_range = int(frame.color_range) == FULL_RANGE or frame.format.name.startswith("yuvj")
        return cls(transfer, matrix, primaries, full_range, frame.format.components[0].bits)

    @property
    def is_wide(self) -> bool:
        """Whether the picture is of another range or gamut than BT.709, and has to be brought to it."""
        return self.transfer != SDR or self.primaries != BT709 or self.matrix in (BT2020, BT2020 + 1)


class Conversion:
    """From decoded frames to RGB; what it needs for one kind of frames it keeps for the next."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._mappings: dict[Colours, ToneMapping] = {}

    def rgb(self, frame: av.VideoFrame, colours: Colours) -> tuple[Image, bool]:
        """The stored picture in BT.709, of standard range, and whether some is transparent: that is BACKGROUND."""
        alpha = None
        if any(component.is_alpha for component in frame.format.components):
            image = self._converted(frame, colours, "rgba")
            image, alpha = image[..., :3], image[..., 3]
        if colours.is_wide:
            image = self._tone_mapped(frame, colours)
        elif alpha is None:
            image = self._converted(frame, colours, "rgb24")
        if alpha is None or alpha.min() == 255:
            return np.ascontiguousarray(image), False
        return on_background(image, alpha), True

    def _converted(self, frame: av.VideoFrame, colours: Colours, target: str) -> UInt8[np.ndarray, "h w c"]:
        if colours.matrix == RGB:
            return self._reformatter.reformat(frame, format=target).to_ndarray()
        return self._reformatter.reformat(
            frame,
            format=target,
            src_colorspace=colours.matrix,
            # Of RGB it means nothing, but some versions heed the first one only where the two differ.
            dst_colorspace=BT601 if colours.matrix == BT709 else BT709,
            src_color_range=FULL_RANGE if colours.full_range else LIMITED_RANGE,
            dst_color_range=FULL_RANGE,
        ).to_ndarray()

    def _tone_mapped(self, frame: av.VideoFrame, colours: Colours) -> Image:
        mapping = self._mappings.get(colours)
        if mapping is None:
            mapping = ToneMapping(colours.transfer, colours.matrix, colours.primaries, colours.full_range, colours.bits)
            self._mappings[colours] = mapping
        if colours.matrix == RGB:
            return mapping(self._reformatter.reformat(frame, format="rgb48le").to_ndarray())
        kept = {"colorspace": BT601, "color_range": FULL_RANGE if colours.full_range else LIMITED_RANGE}
        kept = {f"{side}_{name}": value for side in ("src", "dst") for name, value in kept.items()}
        planes = self._reformatter.reformat(frame, format="yuv444p16le", **kept).planes
        codes = [np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width] for plane in planes]
        return mapping(cv2.merge(codes))


def on_background(image: Image, alpha: UInt8[np.ndarray, "h w"]) -> Image:
    """An image before a plain background."""
    share = alpha[..., None].astype(np.float32) / 255
    return np.round(image * share + BACKGROUND * (1 - share)).astype(np.uint8)


def square_pixels(image: Image, aspect: float) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture as shown: wider, or higher where a pixel is higher than wide, so that no detail is lost.

    Args:
        aspect: a pixel's width over its height.
    """
    height, width = image.shape[:2]
    size = (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))
    return image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


def believed_aspect(aspect: float) -> float:
    """A pixel's width over its height; 1 where the file's can't be true."""
    return aspect if 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT else 1.0


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Of the display matrix that goes with a frame."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return Orientation.of_matrix(bytes(data))
    return Orientation()


def of_size(image: Image, size: tuple[int, int]) -> UInt8[np.ndarray, "h2 w2 3"] | None:
    """The picture, scaled to a height and width; None where its shape is another one."""
    if image.shape[:2] == size:
        return image
    (height, width), (own_height, own_width) = size, image.shape[:2]
    if abs(own_width * height / (own_height * width) - 1) > SAME_ASPECT:
        return None
    method = cv2.INTER_AREA if own_height > height else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=method)
