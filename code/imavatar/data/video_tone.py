"""Wide-gamut and high-dynamic-range pictures as BT.709 ones of standard range.

HLG and PQ are brought to display light (ITU-R BT.2100), with the white of paper, 203 cd/m2 (ITU-R BT.2408), as 1. The
largest of red, green and blue is compressed: up to KNEE nothing changes, so that skin keeps its brightness, and the
display's peak becomes 1. The ratios of the three stay, so that hues do.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16

Transfer = Literal["SDR", "HLG", "PQ"]
SDR, HLG, PQ = "SDR", "HLG", "PQ"

PAPER_WHITE = 203.0
PEAK = 1000.0
"""cd/m2: of diffuse white, and of the display that HLG and most PQ pictures are made for."""
KNEE = 0.6
"""Display light below which nothing is compressed; faces lie at 0.2...0.5."""
DISPLAY_GAMMA = 2.4
"""Of SDR displays (ITU-R BT.1886)."""
HLG_GAMMA = 1.2
"""Exponent of the HLG system at PEAK."""

LUMA_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087)}
LUMA_WEIGHTS |= {9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Of red and blue, by the number of the matrix (ITU-T H.273)."""
CHROMATICITIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), (0.3127, 0.3290)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)),
}
"""xy of red, green, blue and white, by the number of the primaries (ITU-T H.273): BT.709, BT.2020, DCI-P3, P3-D65."""
BT709, RGB = 1, 0

LEVELS = 4096
"""Entries of the tables."""
BAND = 1 << 15
"""Pixels that are worked on at once: what they need stays in a core's cache."""


def to_linear(signal: Float[np.ndarray, "*n"], transfer: Transfer) -> Float[np.ndarray, "*n"]:
    """The light that a signal in [0, 1] stands for: the scene's, 0 to 1, for HLG; else the display's, paper white 1.

    ITU-R BT.2100, tables 4 and 5; SDR by BT.1886.
    """
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = signal ** (1 / m2)
        return (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) * 10000 / PAPER_WHITE
    return signal**DISPLAY_GAMMA


def compressed(light: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Display light, paper white 1, in the range of an SDR display: rises throughout, and is 1 at PEAK and above."""
    largest = (PEAK / PAPER_WHITE - KNEE) / (1 - KNEE)
    over = np.clip((light - KNEE) / (1 - KNEE), 0, largest)
    return np.minimum(light, KNEE) + (1 - KNEE) * over * (1 + over / largest**2) / (1 + over)


def rgb_to_xyz(primaries: int) -> Float[np.ndarray, "3 3"]:
    """The matrix from linear RGB of these primaries to CIE XYZ."""
    xy = np.array(CHROMATICITIES[primaries])
    xyz = np.stack([xy[:, 0], xy[:, 1], 1 - xy.sum(axis=1)]) / xy[:, 1]
    return xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])


@dataclass(frozen=True)
class ToneMapping:
    """Pictures of one kind to BT.709 RGB.

    Attributes:
        transfer: what the signal's values mean.
        matrix: of Y'CbCr, a key of LUMA_WEIGHTS; RGB: there is none.
        primaries: a key of CHROMATICITIES.
        full_range: black and white are the smallest and the largest code, not 16 and 235 of 256.
        bits: that the codes had before they were shifted up to 16.
    """

    transfer: Transfer
    matrix: int = 9
    primaries: int = 9
    full_range: bool = False
    bits: int = 10

    def __call__(self, codes: UInt16[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The RGB image of Y', Cb and Cr (or R', G' and B'), codes of 16 bits."""
        out = np.empty(codes.shape, np.uint8)
        rows = max(1, BAND // codes.shape[1])
        for top in range(0, len(codes), rows):
            out[top : top + rows] = self._band(codes[top : top + rows])
        return out

    def _band(self, codes: UInt16[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        light = self._linear[_index(cv2.transform(codes.astype(np.float32), self._signal))]
        gain = None
        if self.transfer == HLG:
            # Display light is the scene's times a power of its luminance.
            gain = self._system[_index(np.sqrt(light @ self._luminance) * (LEVELS - 1))]
        if self.transfer != SDR:
            largest = np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])
            largest = largest if gain is None else largest * gain
            # Tables over the square root have as many entries for the dark as for the bright.
            step = (LEVELS - 1) / np.sqrt(np.float32(PEAK / PAPER_WHITE))
            squeezed = _compression()[_index(np.sqrt(largest) * step)]
            light *= (squeezed if gain is None else squeezed * gain)[..., None]
        light = np.maximum(cv2.transform(light, self._to_bt709), 0)
        return _encoding()[_index(np.sqrt(light) * (LEVELS - 1))]

    @cached_property
    def _signal(self) -> Float[np.ndarray, "3 4"]:
        """From codes to R'G'B', scaled to the tables' indices."""
        if self.matrix == RGB:
            return np.eye(3, 4, dtype=np.float32) * np.float32((LEVELS - 1) / 65535)
        red, blue = LUMA_WEIGHTS[self.matrix]
        green = 1 - red - blue
        chroma = np.array([[0, 2 * (1 - red)], [-2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green], [0, 0]])
        chroma[2, 0] = 2 * (1 - blue)
        largest = ((1 << self.bits) - 1) << (16 - self.bits)
        black, white, half = (0, largest, 128 * 256) if self.full_range else (16 * 256, 235 * 256, 128 * 256)
        span = white if self.full_range else 224 * 256
        slopes = np.column_stack([np.full(3, 1 / (white - black)), chroma / span])
        offsets = -slopes @ np.array([black, half, half])
        return (np.column_stack([slopes, offsets]) * (LEVELS - 1)).astype(np.float32)

    @cached_property
    def _linear(self) -> Float[np.ndarray, " n"]:
        light = to_linear(np.linspace(0, 1, LEVELS), self.transfer)
        return np.minimum(light, PEAK / PAPER_WHITE).astype(np.float32)

    @cached_property
    def _luminance(self) -> Float[np.ndarray, " 3"]:
        return rgb_to_xyz(self.primaries)[1].astype(np.float32)

    @cached_property
    def _system(self) -> Float[np.ndarray, " n"]:
        """Gain of the HLG system over the square root of the scene's luminance."""
        luminance = np.linspace(0, 1, LEVELS) ** 2
        return (luminance ** (HLG_GAMMA - 1) * PEAK / PAPER_WHITE).astype(np.float32)

    @cached_property
    def _to_bt709(self) -> Float[np.ndarray, "3 3"]:
        return np.linalg.solve(rgb_to_xyz(BT709), rgb_to_xyz(self.primaries)).astype(np.float32)


def _index(values: Float[np.ndarray, "*n"]) -> UInt16[np.ndarray, "*n"]:
    return np.clip(values + np.float32(0.5), 0, LEVELS - 1).astype(np.uint16)


@lru_cache
def _compression() -> Float[np.ndarray, " n"]:
    """Gain of the compression over the square root of the light."""
    light = np.linspace(0, np.sqrt(PEAK / PAPER_WHITE), LEVELS) ** 2
    light[0] = light[1]
    return (compressed(light) / light).astype(np.float32)


@lru_cache
def _encoding() -> UInt8[np.ndarray, " n"]:
    """SDR codes over the square root of the light."""
    signal = np.linspace(0, 1, LEVELS) ** (2 / DISPLAY_GAMMA)
    return np.round(255 * signal).astype(np.uint8)
