"""The reasons to leave a frame out, and that usual frames have none."""

import cv2
import numpy as np
import pytest

from drawn_faces import picture, points_of
from imavatar.preprocessing.frame_quality import (
    BLURRED,
    COVERED,
    HALF_OUTSIDE,
    REPEATED,
    Change,
    LeftOut,
    Measures,
    counts_by_reason,
    judge,
    sharpness,
    spread_over_reasons,
)
from imavatar.preprocessing.landmarks import FaceLandmarks

SIZE, SIDE = 192, 100


MOVED = Change(2.0, 20.0)


def measured(x: int = 40, score: float = 1.0, alike: float = 0.95, blur: float = 0, change: Change = MOVED) -> Measures:
    """Of a picture with a face at a column."""
    pores = np.random.default_rng(0).integers(0, 25, (SIZE, SIZE, 1), dtype=np.uint8)
    rgb = picture(SIZE, SIZE, (1, x, 40, SIDE)) - 20 + pores
    rgb = cv2.GaussianBlur(rgb, (0, 0), blur) if blur else rgb
    points = points_of(np.array([x, 40, x + SIDE, 40 + SIDE], float))
    return Measures.of(rgb, FaceLandmarks(points, np.zeros((2, 5, 2)), score), alike, change)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({}, None),
        ({"x": 105}, None),
        ({"x": 145}, HALF_OUTSIDE),
        ({"x": -50}, HALF_OUTSIDE),
        ({"score": 0.99}, None),
        ({"score": 0.6}, COVERED),
        ({"alike": 0.7}, None),
        ({"alike": 0.3}, COVERED),
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


def test_the_change_of_a_picture_is_its_mean_and_that_of_its_worst_block():
    rgb = picture(SIZE, SIZE, (1, 40, 40, SIDE))
    blink = rgb.copy()
    blink[72:84, 60:72] += 30  # four blocks
    change = Change.between(rgb, blink)
    assert change.block == pytest.approx(30) and change.mean == pytest.approx(30 * 4 / 32**2)
    assert Change.between(rgb, rgb) == Change(0.0, 0.0) and np.isinf(Change.between(None, rgb).mean)


@pytest.mark.parametrize(
    ("change", "repeated"),
    [
        (Change(0.0, 0.0), True),
        (Change(0.12, 2.0), True),  # refined by the codec
        (Change(0.12, 9.0), False),  # a blink in a still face
        (Change(0.4, 2.0), False),
        (Change(np.inf, np.inf), False),
    ],
)
def test_a_picture_shown_again_is_told_from_one_that_hardly_moved(change, repeated):
    faults = judge([*(measured(x=40 + k) for k in range(9)), measured(change=change)])
    assert (faults[-1] == (REPEATED, None)) == repeated and faults[:9] == [None] * 9


def test_of_pictures_shown_twice_or_three_times_one_each_is_used():
    again = Change(0.1, 1.5)
    for times in (2, 3):
        changes = [MOVED if k % times == 0 else again for k in range(30)]
        used = [k for k, fault in enumerate(judge([measured(change=c) for c in changes])) if fault is None]
        assert used == list(range(0, 30, times))


def test_left_out_frames_are_counted_and_shown_of_every_reason():
    frames = [LeftOut(k, BLURRED) for k in range(0, 200, 2)] + [LeftOut(7, COVERED, 0.5)]
    assert counts_by_reason(frames) == {BLURRED: 100, COVERED: 1}
    shown = spread_over_reasons(frames, 40)
    assert len(shown) == 21 and 7 in shown and shown[0] == 0 and shown[-1] == 198
    assert spread_over_reasons([], 40) == []
