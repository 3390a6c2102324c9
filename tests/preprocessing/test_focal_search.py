import numpy as np
import pytest

from imavatar.preprocessing.focal_search import MAX_FRAMES, Lens, focal_range, search_focal, spread_frames


def parabola(best, half_width):
    """A loss that is one percent worse at `half_width` (of the logarithm) on both sides of its least value."""
    return lambda focal: 0.2 * (1 + 0.01 * (np.log(focal / best) / half_width) ** 2)


@pytest.mark.parametrize("best", [1.5, 2.0, 2.7, 4.1])
@pytest.mark.parametrize("half_width", [0.05, 0.3])
def test_the_least_of_a_parabola_is_found_with_where_it_is_as_good(best, half_width):
    found = search_focal(Lens(2.5, 0.4), parabola(best, half_width))
    assert found.best == pytest.approx(best, rel=1e-6)
    # Between focal lengths that were tried the loss is not known: near the least one it is the parabola's.
    assert found.low < best < found.high
    assert found.sure == (half_width == 0.05)


def test_a_flat_loss_says_that_the_recording_cannot_tell():
    found = search_focal(Lens(2.5, 0.4), lambda focal: 0.2)
    assert found.low == pytest.approx(2.5 * np.exp(-0.8))
    assert found.high == pytest.approx(2.5 * np.exp(0.8))
    assert not found.sure


@pytest.mark.parametrize("end", [0, -1])
def test_a_loss_that_falls_to_an_end_stays_there(end):
    focal = np.array([1.0, 2.0, 4.0, 8.0])
    loss = np.log(focal) if end == 0 else -np.log(focal)
    found = focal_range(focal, (1 + 0.3 * loss).tolist())
    assert found.best == pytest.approx(focal[end])


def test_a_neighbour_is_fitted_after_its_neighbour_and_the_better_of_two_fits_counts():
    asked = []

    def loss(focal):
        asked.append(focal)
        return 1.0 if len(asked) == 1 else 0.5

    search_focal(Lens(2.0, 0.5), loss)
    steps = np.abs(np.diff(np.log(asked)))
    assert steps == pytest.approx(0.5)
    assert asked[0] == pytest.approx(2.0) and len(set(np.round(asked, 6))) == 5


def test_frames_are_spread_in_runs_over_all_recordings():
    video = np.repeat([0, 1], 200)
    time = np.tile(np.arange(200), 2)
    chosen = spread_frames(video, time)
    assert len(chosen) <= MAX_FRAMES
    assert {0, 1} == set(video[chosen])
    runs = chosen.reshape(-1, 3)
    assert (np.diff(runs, axis=1) == 1).all()
    assert (video[runs] == video[runs[:, :1]]).all()
    assert chosen[0] == 0 and chosen[-1] == 399


def test_few_frames_are_all_taken():
    assert spread_frames(np.zeros(10, int), np.arange(10)).tolist() == list(range(10))
