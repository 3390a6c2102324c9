"""High dynamic range: grey ramps and colours whose standard-range values follow from the standards."""

import time

import numpy as np
import pytest

from imavatar.data.video_tone import (
    BT709,
    CHROMATICITIES,
    HLG,
    KNEE,
    PAPER_WHITE,
    PEAK,
    PQ,
    RGB,
    SDR,
    ToneMapping,
    compressed,
    rgb_to_xyz,
    to_linear,
)

BLACK, WHITE, GREY = 64 << 6, 940 << 6, 512 << 6
"""Codes of 10 bits, limited range, as those of 16."""


def _ramp(signal) -> np.ndarray:
    """Neutral Y'CbCr codes of signals in [0, 1]."""
    luma = np.round(BLACK + np.asarray(signal) * (WHITE - BLACK))
    return np.stack([luma, np.full_like(luma, GREY), np.full_like(luma, GREY)], axis=-1)[None].astype(np.uint16)


def test_hlg_and_pq_are_those_of_the_standard():
    # BT.2100: HLG 0.5 is a twelfth of the scene's peak; PQ 0.508078 is 100 cd/m2.
    np.testing.assert_allclose(to_linear(np.array([0.0, 0.5, 1.0]), HLG), [0, 1 / 12, 1], atol=1e-6)
    np.testing.assert_allclose(
        to_linear(np.array([0.0, 0.508078, 1.0]), PQ) * PAPER_WHITE, [0, 100, 10000], rtol=1e-4, atol=1e-9
    )


def test_below_the_knee_hlg_keeps_the_display_light_of_faces():
    # BT.2408: signals of 38 % (grey card) to 57 % (light skin) are 26 and 72 cd/m2.
    signal = np.array([0.2, 0.3, 0.38, 0.45, 0.57])
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    light = 1000 * scene**1.2 / 203
    np.testing.assert_allclose(light[[2, 4]] * 203, [26, 72], atol=1)
    assert light.max() < KNEE
    image = ToneMapping(HLG)(_ramp(signal))
    np.testing.assert_allclose(image[0, :, 1], 255 * light ** (1 / 2.4), atol=1)


def test_below_the_knee_pq_keeps_its_light():
    light = np.array([1.0, 10.0, 50.0, 100.0])  # cd/m2
    power = (light / 10000) ** 0.1593017578125
    signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    image = ToneMapping(PQ)(_ramp(signal))
    np.testing.assert_allclose(image[0, :, 0], 255 * (light / 203) ** (1 / 2.4), atol=1)


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_a_grey_ramp_stays_grey_and_rises_and_only_its_end_is_white(transfer):
    signal = np.linspace(0, 1, 500)
    image = ToneMapping(transfer)(_ramp(signal))[0].astype(int)
    assert np.ptp(image, axis=1).max() <= 1
    assert (np.diff(image[:, 1]) >= 0).all()
    assert image[0, 1] == 0 and image[-1, 1] == 255
    shown = to_linear(signal, transfer) if transfer == PQ else to_linear(signal, HLG) ** 1.2 * PEAK / PAPER_WHITE
    assert image[shown < 0.9 * PEAK / PAPER_WHITE, 1].max() < 255


def test_compression_is_smooth_and_ends_at_one():
    light = np.linspace(0, PEAK / PAPER_WHITE, 100_000)
    squeezed = compressed(light)
    slopes = np.diff(squeezed) / np.diff(light)
    assert squeezed[-1] == pytest.approx(1) and compressed(np.array([50.0]))[0] == pytest.approx(1)
    assert (slopes > 0).all() and (np.diff(slopes) < 1e-6).all()
    np.testing.assert_allclose(squeezed[light < KNEE], light[light < KNEE])


def test_primaries_have_the_matrix_of_the_standard():
    np.testing.assert_allclose(rgb_to_xyz(9)[1], [0.2627, 0.6780, 0.0593], atol=1e-4)
    np.testing.assert_allclose(rgb_to_xyz(BT709)[1], [0.2126, 0.7152, 0.0722], atol=1e-4)
    white = [rgb_to_xyz(number).sum(axis=1)[0] / rgb_to_xyz(number).sum() for number in CHROMATICITIES]
    np.testing.assert_allclose(white, [0.3127, 0.3127, 0.314, 0.3127], atol=1e-6)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_a_colour_of_bt709_written_in_bt2020_comes_back(full_range, bits):
    colour = np.array([200, 130, 100]) / 255
    wide = np.linalg.solve(rgb_to_xyz(9), rgb_to_xyz(BT709)) @ colour**2.4
    red, green, blue = wide ** (1 / 2.4)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = np.array([(blue - luma) / 1.8814, (red - luma) / 1.4746])
    largest = 2**bits - 1
    if full_range:
        codes = [luma * largest, *(chroma * largest + 2 ** (bits - 1))]
    else:
        codes = np.array([219 * luma + 16, *(224 * chroma + 128)]) * 2 ** (bits - 8)
    codes = (np.round(codes).astype(np.uint16) << (16 - bits))[None, None]
    image = ToneMapping(SDR, full_range=full_range, bits=bits)(codes)
    np.testing.assert_allclose(image[0, 0], 255 * colour, atol=2)


def test_coloured_highlights_keep_their_hue():
    codes = np.array([[[48000, 45000, 42000], [42000, 45000, 48000]]], np.uint16)
    bright, mirrored = ToneMapping(PQ, matrix=RGB, primaries=BT709)(codes)[0].astype(float) / 255
    light = to_linear(codes[0, 0] / 65535, PQ)
    assert light.max() > 2
    np.testing.assert_allclose((bright / bright[0]) ** 2.4, light / light[0], atol=0.02)
    np.testing.assert_allclose(mirrored, bright[::-1], atol=1 / 255)


def test_large_pictures_are_mapped_as_small_ones(monkeypatch):
    codes = np.random.default_rng(0).integers(BLACK, WHITE, (40, 30, 3)).astype(np.uint16)
    whole = ToneMapping(HLG)(codes)
    monkeypatch.setattr("imavatar.data.video_tone.BAND", 64)
    np.testing.assert_array_equal(ToneMapping(HLG)(codes), whole)


def test_ten_frames_a_second_of_720_lines():
    codes = np.full((720, 1280, 3), GREY, np.uint16)
    mapping = ToneMapping(HLG)
    mapping(codes[:8])

    def seconds() -> float:
        started = time.process_time()
        mapping(codes)
        return time.process_time() - started

    assert min(seconds() for _ in range(3)) < 0.1
