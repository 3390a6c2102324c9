"""What is held out of a video: shares, lengths, cuts."""

import numpy as np
import pytest

from imavatar.data.splits import frames_in_blocks, last_frames


def runs(held: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of what is held out in a row."""
    edges = np.flatnonzero(np.diff(held.astype(int), prepend=0, append=0))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def test_thirty_seconds_have_six_blocks_of_a_second_held_out_each_in_the_middle_of_five():
    held = frames_in_blocks(np.arange(750), [(0, 749)], 25.0)
    assert runs(held) == [(first, first + 24) for first in range(50, 750, 125)]


@pytest.mark.parametrize("fps", [5.0, 23.976, 25.0, 60.0])
@pytest.mark.parametrize("seconds", [3.3, 8.0, 11.7, 34.0])
def test_a_fifth_is_held_out_in_blocks_of_about_a_second_that_lie_between_others(fps, seconds):
    n = round(fps * seconds)
    held = frames_in_blocks(np.arange(n), [(0, n - 1)], fps)
    found = runs(held)
    lengths = [last - first + 1 for first, last in found]
    assert abs(held.sum() - n / 5) <= len(found)
    assert all(length >= 3 for length in lengths) and max(lengths) - min(lengths) <= 1
    assert all(0.5 * fps <= length <= 1.6 * fps for length in lengths)
    # Two whole blocks before, two behind; their lengths differ by a frame at most.
    assert found[0][0] >= 2 * max(lengths) - 2 and n - 1 - found[-1][1] >= 2 * max(lengths) - 2


def test_blocks_do_not_go_across_a_cut_and_short_shots_are_for_training():
    held = frames_in_blocks(np.arange(264), [(0, 124), (125, 138), (139, 263)], 25.0)
    assert runs(held) == [(50, 74), (189, 213)]


def test_which_frames_are_held_out_does_not_depend_on_which_are_used():
    number = np.sort(np.random.default_rng(0).choice(500, 120, replace=False))
    every = frames_in_blocks(np.arange(500), [(0, 249), (250, 499)], 30.0)
    assert np.array_equal(frames_in_blocks(number, [(0, 249), (250, 499)], 30.0), every[number])


def test_frames_outside_of_all_shots_are_for_training():
    assert not frames_in_blocks(np.arange(100, 200), [(0, 99)], 25.0).any()


def test_the_last_fifth_is_the_last_fifth():
    assert np.flatnonzero(last_frames(29)).tolist() == [23, 24, 25, 26, 27, 28]
