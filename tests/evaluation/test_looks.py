"""Looks of faces that do what is known."""

import numpy as np
import pytest

from imavatar.evaluation.face_descriptor import STRANGERS
from imavatar.evaluation.looks import COLUMNS, MEANING, compare_looks
from made_looks import OPEN, face

N = 40
TIME = np.arange(N)
NO_DISTANCES = [None] * N


def a_speaker(n: int = N) -> list:
    """Blinks with both eyes in frames 5, 6 and 30, opens the mouth in 12 to 15, and looks around."""
    found = []
    for k in range(n):
        lids = (0.1 * OPEN,) * 2 if k in (5, 6, 30) else (OPEN, OPEN)
        found.append(face(lids, 0.08 if 12 <= k <= 15 else 0.0, (0.1 * np.sin(k), 0.05 * np.cos(k))))
    return found


def test_equal_faces_do_the_same():
    looks = compare_looks(a_speaker(), a_speaker(), TIME, [0.0] * N)
    values = looks.values
    assert tuple(values) == tuple(MEANING) == tuple(COLUMNS)
    errors = [value for name, value in values.items() if name.endswith("_error")]
    assert errors == pytest.approx([0.0] * 4, abs=1e-12)
    correlations = [value for name, value in values.items() if name.endswith("_correlation")]
    assert correlations == pytest.approx([1.0] * 4)
    assert (values["blinks_true"], values["blinks_found"], values["blinks_invented"]) == (4, 4, 0)
    assert (values["openings_true"], values["openings_found"], values["openings_invented"]) == (1, 1, 0)
    assert values["identity"] == values["identity_lowest"] == 1 and values["identity_distance"] == 0


def test_eyes_that_never_close_and_a_mouth_that_opens_elsewhere_are_told():
    still = [face(lips=0.06 if k == 25 else 0.0) for k in range(N)]
    values = compare_looks(still, a_speaker(), TIME, NO_DISTANCES).values
    assert (values["blinks_true"], values["blinks_found"], values["blinks_invented"]) == (4, 0, 0)
    assert (values["openings_true"], values["openings_found"], values["openings_invented"]) == (1, 0, 1)
    assert values["lid_correlation"] == 0
    assert values["lid_error"] == pytest.approx(0.9 * OPEN * 3 / N)
    assert values["lip_error"] == pytest.approx((4 * 0.08 + 0.06) / N)
    assert values["identity"] is values["identity_distance"] is None


def test_lengths_are_in_shares_of_the_pictures_face():
    larger = [type(one)(2 * one.points, 2 * one.irises) for one in a_speaker()]
    looks = compare_looks(larger, a_speaker(), TIME, NO_DISTANCES)
    np.testing.assert_allclose(looks.drawn, 2 * looks.pictured)
    assert looks.pictured[0, 0] == pytest.approx(OPEN)
    assert looks.values["gaze_across_error"] == pytest.approx(0, abs=1e-12)


def test_gaze_is_compared_where_both_have_open_eyes():
    drawn = a_speaker()
    for k in (5, 6, 30):
        drawn[k] = face(gaze=(9.0, 9.0))  # the picture's eyes are closed there
    drawn[20] = face((0.0, 0.0), gaze=(9.0, 9.0))
    looks = compare_looks(drawn, a_speaker(), TIME, NO_DISTANCES)
    assert looks.values["gaze_across_error"] == pytest.approx(0, abs=1e-12)
    assert np.flatnonzero(np.isnan(looks.gaze_drawn[:, 0])).tolist() == [5, 6, 20, 30]


def test_the_eyes_that_look_the_other_way_are_told():
    mirrored = [face(gaze=(-0.1 * np.sin(k), 0.05 * np.cos(k))) for k in range(N)]
    values = compare_looks(mirrored, a_speaker(), TIME, NO_DISTANCES).values
    assert values["gaze_across_correlation"] == pytest.approx(-1)
    assert values["gaze_up_correlation"] == pytest.approx(1)


def test_frames_without_a_face_do_not_count_and_end_a_blink():
    drawn, pictured = a_speaker(), a_speaker()
    drawn[5] = pictured[7] = None
    looks = compare_looks(drawn, pictured, TIME, [0.2 if k == 9 else None for k in range(N)])
    values = looks.values
    assert (values["frames"], values["faces"], values["faces_drawn"]) == (N, N - 1, N - 2)
    assert 5 not in looks.time and 7 not in looks.time and len(looks.time) == N - 2
    assert values["blinks_true"] == 4
    assert values["identity_distance"] == pytest.approx(0.2)
    assert values["identity"] == pytest.approx(1 - (0.2 / STRANGERS) ** 2)


def test_no_face_at_all_gives_no_numbers():
    values = compare_looks([None] * 3, [None, face(), None], np.arange(3), [None] * 3).values
    assert tuple(values) == tuple(MEANING)
    assert values.pop("frames") == 3 and values.pop("faces") == 1 and values.pop("faces_drawn") == 0
    assert set(values.values()) == {None}


def test_eyes_that_are_closed_throughout_have_no_gaze():
    closed = [face((0.0, 0.0)) for _ in range(4)]
    values = compare_looks(closed, closed, np.arange(4), [None] * 4).values
    assert values["gaze_across_error"] is values["gaze_up_correlation"] is None
