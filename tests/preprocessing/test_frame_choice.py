"""Which frames of many are used."""

import numpy as np
import pytest

from imavatar.preprocessing.frame_choice import RUN, choose_diverse, choose_even, choose_frames, view_features


def recording(n: int) -> np.ndarray:
    """Landmarks of a face that keeps still, but for one grin of three frames in the first half."""
    generator = np.random.default_rng(0)
    points = np.repeat(generator.uniform(100, 200, (1, 468, 2)), n, axis=0)
    points += 0.1 * generator.normal(size=points.shape)
    points[100:103, 60:300] += [0.0, 12.0]
    return points


def test_the_rare_view_is_taken_with_its_neighbours():
    chosen = choose_diverse(view_features(recording(400)), np.zeros(400, int), 4 * RUN)
    assert len(chosen) == 4 * RUN
    assert set(range(99, 104)) <= set(chosen.tolist())


def test_runs_are_long_enough_for_three_in_a_row_and_stay_in_a_clip():
    clip = np.repeat([0, 1], [150, 250])
    chosen = choose_diverse(view_features(recording(400)), clip, 60)
    for k in chosen.tolist():
        near = [other for other in range(k - 2, k + 3) if other in chosen and clip[min(other, 399)] == clip[k]]
        assert len(near) >= 3


def test_features_do_not_depend_on_the_pictures_size():
    points = recording(12)
    np.testing.assert_allclose(view_features(points), view_features(2.5 * points + 40), atol=1e-3)


@pytest.mark.parametrize("count", [30, 95, 200])
def test_even_frames_are_spread_over_all(count):
    chosen = choose_even(np.zeros(500, int), count)
    assert 0.85 * count <= len(chosen) <= count
    assert chosen[0] < 500 * RUN / count and chosen[-1] > 500 * (1 - RUN / count)
    assert np.diff(chosen).max() < 3 * 500 * RUN / count


def test_the_part_for_evaluation_stays_the_last_in_time_and_keeps_its_share():
    chosen = choose_frames(list(recording(500)), np.zeros(500, int), 100, np.arange(500) >= 400)
    assert len(chosen) <= 100 and (chosen < 400).sum() == 80
    assert (np.diff(chosen) > 0).all() and 15 <= (chosen >= 400).sum() <= 20


def test_few_frames_are_all_used():
    assert choose_frames(list(recording(50)), np.zeros(50, int), 50, np.arange(50) >= 40).tolist() == list(range(50))


def test_blocks_for_evaluation_keep_their_share_and_runs_do_not_go_on_behind_them():
    held = np.arange(500) // 25 % 5 == 2
    chosen = choose_frames(list(recording(500)), np.zeros(500, int), 200, held)
    assert (np.diff(chosen) > 0).all() and (~held[chosen]).sum() == 160 and 32 <= held[chosen].sum() <= 40
    # Every block is stood for.
    assert set(chosen[held[chosen]] // 25) == {2, 7, 12, 17}
    assert {100, 101, 102} <= set(chosen.tolist())


def test_no_run_goes_on_behind_a_part_for_evaluation():
    points = recording(500)
    points[300, 60:300] += [0.0, 30.0]
    held = (np.arange(500) >= 301) & (np.arange(500) < 340)
    chosen = choose_frames(list(points), np.zeros(500, int), 2 * RUN, held)
    assert 300 in chosen and 296 in chosen and 340 not in chosen
