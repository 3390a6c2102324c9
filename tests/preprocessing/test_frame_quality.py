"""The reasons to leave a frame out, and that usual frames have none."""

import cv2
import numpy as np
import pytest

from drawn_faces import picture, points_of
from imavatar.preprocessing.frame_quality import (
    BLURRED,
    COVERED,
    HALF_OUTSIDE,
    LeftOut,
    Measures,
    counts_by_reason,
    is_repeated,
    judge,
    sharpness,
    spread_over_reasons,
)
from imavatar.preprocessing.landmarks import FaceLandmarks

SIZE, SIDE = 192, 100


def measured(x: int = 40, score: float = 1.0, blur: float = 0) -> Measures:
    """Of a picture with a face at a column."""
    pores = np.random.default_rng(0).integers(0, 25, (SIZE, SIZE, 1), dtype=np.uint8)
    rgb = picture(SIZE, SIZE, (1, x, 40, SIDE)) - 20 + pores
    rgb = cv2.GaussianBlur(rgb, (0, 0), blur) if blur else rgb
    points = points_of(np.array([x, 40, x + SIDE, 40 + SIDE], float))
    return Measures.of(rgb, FaceLandmarks(points, np.zeros((2, 5, 2)), score))


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({}, None),
        ({"x": 105}, None),
        ({"x": 145}, HALF_OUTSIDE),
        ({"x": -50}, HALF_OUTSIDE),
        ({"score": 0.99}, None),
        ({"score": 0.6}, COVERED),
        ({"blur": 0.4}, None),
        ({"blur": 2.0}, BLURRED),
    ],
)
def test_a_frame_is_left_out_for_what_is_measured_of_it(odd, reason):
    *usual, fault = judge([*(measured(x=40 + k) for k in range(9)), measured(**odd)])
    assert usual == [None] * 9
    assert (fault and fault[0]) == reason


def test_a_recording_that_is_unsharp_throughout_keeps_its_frames():
    assert judge([measured(x=30 + k, blur=2.0) for k in range(10)]) == [None] * 10


def test_sharpness_is_that_of_the_face_at_one_size():
    small = picture(SIZE, SIZE, (1, 40, 40, SIDE))
    large = cv2.resize(small, (3 * SIZE, 3 * SIZE), interpolation=cv2.INTER_CUBIC)
    box = np.array([40, 40, 40 + SIDE, 40 + SIDE], float)
    assert sharpness(large, points_of(3 * box)) == pytest.approx(sharpness(small, points_of(box)), rel=0.25)


def test_a_picture_shown_again_is_told_from_one_that_hardly_moved():
    rgb = picture(SIZE, SIZE, (1, 40, 40, SIDE))
    noise = np.random.default_rng(0).integers(0, 2, rgb.shape, dtype=np.uint8)
    assert is_repeated(rgb, rgb) and is_repeated(rgb, cv2.add(rgb, (noise * (noise[..., :1] & 1)) // 2))
    blink = rgb.copy()
    blink[70:80, 60:75] += 25
    assert not is_repeated(rgb, blink)


def test_left_out_frames_are_counted_and_shown_of_every_reason():
    frames = [LeftOut(k, BLURRED) for k in range(0, 200, 2)] + [LeftOut(7, COVERED, 0.5)]
    assert counts_by_reason(frames) == {BLURRED: 100, COVERED: 1}
    shown = spread_over_reasons(frames, 40)
    assert len(shown) == 21 and 7 in shown and shown[0] == 0 and shown[-1] == 198
    assert spread_over_reasons([], 40) == []
