"""Blinks and correlations in curves whose course is known."""

import numpy as np
import pytest

from imavatar.evaluation.curves import compare_apertures, compare_events, compare_openings, correlation, shake
from imavatar.head.apertures import OPENS_ABOVE, SHUTS_BELOW, blinks, openings


def eyes_closed(n, *closed):
    """Lids 10 mm open, and 1 mm in the frames named."""
    curve = np.full(n, 10.0)
    curve[list(closed)] = 1
    return curve


def test_blinks_are_found_where_lids_close():
    time = np.arange(30)
    assert blinks(eyes_closed(30), time) == []
    assert blinks(eyes_closed(30, 5, 6, 7, 20), time) == [(5, 7), (20, 20)]
    slightly = eyes_closed(30)
    slightly[10:13] = 7
    assert blinks(slightly, time) == []


def test_lids_that_shake_halfway_are_one_blink():
    curve = eyes_closed(30, 5, 6, 8)
    curve[7] = 5
    assert blinks(curve, np.arange(30)) == [(5, 8)]


def test_a_gap_in_the_recording_ends_a_blink():
    time = np.arange(30)
    time[6:] += 100
    assert blinks(eyes_closed(30, 5, 6), time) == [(5, 5), (106, 106)]


def test_blinks_count_as_found_missed_or_invented():
    count = compare_events([(5, 7), (40, 42), (60, 61)], [(8, 9), (20, 22), (59, 62)])
    assert (count.true, count.found, count.missed, count.invented) == (3, 2, 1, 1)
    assert compare_events([], []).missed == 0


def test_a_mouth_that_only_half_closes_between_two_words_has_opened_once():
    half = (OPENS_ABOVE + SHUTS_BELOW) / 2
    curve = np.array([0, 2 * OPENS_ABOVE, half, 2 * OPENS_ABOVE, 0, half, 0, 2 * OPENS_ABOVE])
    assert openings(curve, np.arange(8)) == [(1, 3), (7, 7)]


def test_openings_count_as_found_missed_or_invented():
    time, true, drawn = np.arange(40), np.zeros(40), np.zeros(40)
    true[[4, 5, 20]] = 2 * OPENS_ABOVE
    drawn[[6, 33]] = 2 * OPENS_ABOVE
    drawn[20] = 0.9 * OPENS_ABOVE
    assert compare_openings(drawn, true, time) == {"openings_true": 2, "openings_found": 1, "openings_invented": 1}


def test_equal_curves_have_no_error():
    curves = np.stack([eyes_closed(30, 5, 6), eyes_closed(30, 5, 6), np.linspace(0, 20, 30)], axis=1)
    found = compare_apertures(curves, curves, np.arange(30), steady=0.3)
    assert found["lid_error"] == found["lip_error"] == 0
    assert found["lid_correlation"] == pytest.approx(1) and found["lip_correlation"] == pytest.approx(1)
    assert (found["blinks_true"], found["blinks_found"], found["blinks_invented"]) == (2, 2, 0)


def test_columns_are_not_mixed_up():
    true = np.stack([eyes_closed(30, 5), eyes_closed(30), np.linspace(0, 20, 30)], axis=1)
    tracked = true + [1, 3, 5]
    found = compare_apertures(tracked, true, np.arange(30), steady=0.3)
    assert found["lid_error"] == pytest.approx(2) and found["lip_error"] == pytest.approx(5)
    assert found["blinks_true"] == 1


def test_a_steady_curve_has_no_correlation():
    moving, still = np.sin(np.arange(20)), np.ones(20)
    assert correlation(moving, still, 0.1) is None
    assert correlation(still, moving, 0.1) == 0
    assert correlation(-moving, moving, 0.1) == pytest.approx(-1)
    assert correlation(0.005 * moving, moving, 0.1) == 0
    assert correlation(0.05 * moving, moving, 0.1) == pytest.approx(1)


def test_shaking_is_what_steady_motion_lacks():
    steady = np.linspace(0, 5, 20)[:, None, None] * np.ones((1, 4, 2))
    time = np.arange(20)
    assert shake(steady, time) == pytest.approx(0, abs=1e-12)
    steps = steady.copy()
    steps[::2] += [0.5, 0.0]
    assert shake(steps, time) == pytest.approx(1.0)
    assert shake(steps, 2 * time) == 0
