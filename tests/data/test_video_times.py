"""When frames are shown, from stamps that rise, start again, jump, or are missing."""

import numpy as np
import pytest

from imavatar.data.video_times import DEFAULT_RATE, MAX_GAP, Stamp, Timeline, shown_at

TICK = 1 / 90000


def _timeline(shown, decoded=None, *, tick=TICK, said=0.0, duration=0.04) -> Timeline:
    decoded = shown if decoded is None else decoded
    return Timeline([Stamp(s, d, duration) for s, d in zip(shown, decoded, strict=True)], tick, said)


def _times(timeline: Timeline, stamps) -> list[float]:
    clock = timeline.clock()
    return [clock.frame(stamp) for stamp in stamps]


def test_a_constant_rate_begins_at_zero_and_ends_with_the_last_frame():
    stamps = [1.48 + k / 25 for k in range(10)]
    timeline = _timeline(stamps)
    np.testing.assert_allclose(_times(timeline, stamps), np.arange(10) / 25)
    assert timeline.seconds == pytest.approx(0.4) and timeline.rate == pytest.approx(25)
    assert not timeline.is_variable and not timeline.notes()


def test_frames_that_are_stored_before_others_are_no_new_part():
    shown = [0.0, 1.5, 0.5, 1.0, 2.0, 3.5, 2.5, 3.0]
    decoded = [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    for given in (decoded, [None] * 8, [None, None, *decoded[2:]]):
        timeline = _timeline(shown, given, duration=0.5)
        assert len(timeline.parts) == 1 and timeline.seconds == pytest.approx(4)


@pytest.mark.parametrize("second_begins", [1.48, 0.0, 2.9, 5.0])
def test_a_joined_part_goes_on_where_the_one_before_ended(second_begins):
    # 60 frames from 1.48 to 3.88, then 25 more whose clock starts again.
    order = [0, 3, 1, 2]
    first = [1.48 + (4 * (k // 4) + order[k % 4]) / 25 for k in range(60)]
    second = [second_begins + (4 * (k // 4) + order[k % 4]) / 25 for k in range(24)]
    decoded = [1.4 + k / 25 for k in range(60)] + [second_begins - 0.08 + k / 25 for k in range(24)]
    timeline = _timeline(first + second, decoded)
    if second_begins == 5.0:
        assert len(timeline.parts) == 1 and "A gap" in timeline.notes()[0]
        return
    np.testing.assert_allclose(_times(timeline, sorted(first) + sorted(second)), np.arange(84) / 25, atol=1e-9)
    assert timeline.seconds == pytest.approx(84 / 25)
    assert "2 parts" in timeline.notes()[0] and not timeline.is_variable


def test_a_stored_order_without_times_of_decoding_is_no_new_part_after_a_join():
    # As a demultiplexer that takes the time of decoding for that of showing after a join.
    order = [0, 3, 1, 2]
    first = [(4 * (k // 4) + order[k % 4]) / 25 for k in range(40)]
    timeline = _timeline([*first, *first], [*(k / 25 - 0.08 for k in range(40)), *first])
    assert len(timeline.parts) == 2 and timeline.seconds == pytest.approx(80 / 25)


def test_parts_of_a_few_frames_are_parts():
    stamps = [k / 25 for k in range(6)]
    timeline = _timeline(stamps * 3)
    assert len(timeline.parts) == 3
    np.testing.assert_allclose(_times(timeline, stamps * 3), np.arange(18) / 25)


def test_a_jump_is_closed_and_said():
    stamps = [k / 25 + (19000 if k >= 40 else 0) for k in range(78)]
    timeline = _timeline(stamps)
    np.testing.assert_allclose(_times(timeline, stamps), np.arange(78) / 25, atol=1e-6)
    assert timeline.seconds == pytest.approx(78 / 25)
    assert "19000.0 s at 1.6 s was left out" in timeline.notes()[0]


def test_a_pause_is_kept_and_said():
    stamps = [k / 25 + (1 if k >= 10 else 0) for k in range(20)]
    timeline = _timeline(stamps)
    np.testing.assert_allclose(_times(timeline, stamps), stamps)
    assert timeline.is_variable and "A gap of 1.0 s at 0.4 s: the picture before is held." in timeline.notes()


@pytest.mark.parametrize("interval", [None, 250.0, 0.0, 1e-5])
@pytest.mark.parametrize(("said", "rate"), [(0.004, DEFAULT_RATE), (30.0, 30.0), (90000.0, DEFAULT_RATE)])
def test_missing_and_absurd_stamps_give_a_constant_rate(interval, said, rate):
    stamps = [None if interval is None else interval * k for k in range(78)]
    timeline = _timeline(stamps, said=said, duration=0.0)
    np.testing.assert_allclose(_times(timeline, stamps), np.arange(78) / rate)
    assert timeline.rate == pytest.approx(rate)
    assert f"{rate:.0f} frames a second are assumed" in timeline.notes()[0]


def test_a_missing_stamp_follows_the_one_before():
    stamps = [k / 25 for k in range(10)]
    assert _times(_timeline(stamps), [*stamps[:3], None, *stamps[4:]]) == pytest.approx(stamps)


@pytest.mark.parametrize("rate", [24, 25, 30, 60, 120, 240])
def test_milliseconds_are_no_variable_rate(rate):
    stamps = [round(1000 * k / rate) / 1000 for k in range(3 * rate)]
    timeline = _timeline(stamps, tick=0.001, duration=1 / rate)
    assert not timeline.is_variable
    frames = zip(_times(timeline, stamps), range(len(stamps)), strict=True)
    shown = list(shown_at(frames, timeline.seconds, rate, timeline.tolerance))
    assert [number for _, number in shown] == list(range(3 * rate))


def test_jittering_stamps_are_a_variable_rate():
    jitter = np.random.default_rng(0).uniform(-0.01, 0.01, 50)
    assert _timeline((np.arange(50) / 25 + jitter).tolist()).is_variable


def test_the_last_frame_is_held_as_long_as_the_file_says():
    timeline = Timeline([Stamp(k / 25, k / 25, 2.0 if k == 9 else 0.04) for k in range(10)], TICK, 0.0)
    assert timeline.seconds == pytest.approx(9 / 25 + 2)


def test_each_instant_shows_the_frame_before_it():
    times = [0.0, 0.1, 1.1, 1.13, 1.2]
    shown = list(shown_at(zip(times, "abcde", strict=True), 1.5, 20, 0.0))
    assert [time for time, _ in shown] == pytest.approx([k / 20 for k in range(30)])
    for time, name in shown:
        assert name == [n for t, n in zip(times, "abcde", strict=True) if t <= time + 1e-3][-1]


def test_sound_is_silent_in_a_closed_gap_and_keeps_its_place_elsewhere():
    stamps = [k / 25 + (100 if k >= 25 else 0) for k in range(50)]
    clock = _timeline(stamps).clock()
    heard = [clock.sound(stamp) for stamp in (0.5, 0.99, 1.0 + 2 * MAX_GAP, 101.0, 101.5)]
    assert heard == [pytest.approx(0.5), pytest.approx(0.99), None, pytest.approx(1.0), pytest.approx(1.5)]


def test_sound_of_joined_parts_starts_again_with_them():
    stamps = [1.48 + k / 25 for k in range(50)] * 2
    clock = _timeline(stamps).clock()
    heard = [clock.sound(1.5 + k / 10) for k in range(19)] + [clock.sound(1.5 + k / 10) for k in range(19)]
    assert heard == pytest.approx([0.02 + k / 10 for k in range(19)] + [2.02 + k / 10 for k in range(19)])


def test_without_frames_there_is_no_time():
    timeline = _timeline([])
    assert (timeline.n_frames, timeline.seconds, timeline.rate) == (0, 0.0, 0.0)
    assert list(shown_at([], 0.0, 25, 0.0)) == []
