"""Functions of the epoch."""

import pytest

from imavatar.training.objective import LossWeights
from imavatar.training.schedules import Schedule, decaying_weight, exponential_decay, milestone_factor, warm_up
from imavatar.training.step import StepOptions


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1), (9.9, 1), (10, 2), (19, 2), (20, 4), (99, 4)])
def test_every_milestone_that_is_reached_multiplies_once(epoch, factor):
    assert milestone_factor(epoch, (10, 20), 2) == factor


@pytest.mark.parametrize(("epoch", "weight"), [(0, 1), (10, 0.5), (19, 0.5), (20, 0), (99, 0)])
def test_supervision_ends_at_the_last_milestone(epoch, weight):
    assert decaying_weight(epoch, (10, 20), 0.5) == weight


def test_supervision_without_milestones_stays():
    assert decaying_weight(1000, (), 0.5) == 1


def test_the_decay_ends_at_its_final_value():
    assert exponential_decay(0, 10, 0.1) == 1
    assert exponential_decay(5, 10, 0.01) == pytest.approx(0.1)
    assert exponential_decay(10, 10, 0.1) == exponential_decay(20, 10, 0.1) == pytest.approx(0.1)


def test_the_rate_warms_up_linearly():
    assert [warm_up(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert warm_up(0, 0) == 1


def test_a_schedule_scales_alpha_and_both_head_weights():
    weights = LossWeights(lbs_weight=2.0, flame_distance_weight=10.0, alpha=50.0)
    schedule = Schedule(alpha_milestones=(2, 4), GT_lbs_milestones=(3, 6), GT_lbs_factor=0.5)
    later = schedule.weights_at(4, weights)
    assert (later.alpha, later.lbs_weight, later.flame_distance_weight) == (200.0, 1.0, 5.0)
    assert later.mask_weight == weights.mask_weight
    assert schedule.weights_at(6, weights).lbs_weight == 0


def test_the_texture_alone_learns_from_colours_in_the_first_steps():
    options = StepOptions(texture_only_steps=2, gradient_limit=3.0)
    assert [options.after(step).texture_only_steps for step in range(4)] == [2, 1, 0, 0]
    assert options.after(5) == StepOptions(gradient_limit=3.0)
