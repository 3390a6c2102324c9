"""The built-in sweep is smooth, bounded and neutral at its ends; recordings are replayed exactly."""

import json
import math

import numpy as np
import pytest
import torch

from imavatar.anatomy import Joint
from imavatar.errors import DataError
from imavatar.motion.recorded import motion_from_json
from imavatar.motion.sweep import plateau, smoothstep, sweep_motion, swing
from oracles_subject import write_subject

NAMED = {
    "smile": torch.eye(50)[3] * 1.5,
    "brows_up": torch.eye(50)[7],
    "pucker": -torch.eye(50)[11],
    "blink": torch.eye(50)[13] * 2,
}


@pytest.mark.parametrize("named", [None, NAMED])
def test_the_sweep_starts_and_ends_in_the_neutral_head(named):
    motion = sweep_motion(50, named, n_frames=120)
    for end in (0, -1):
        assert motion.expression[end].abs().max() < 1e-6
        assert motion.pose[end].abs().max() < 1e-6


@pytest.mark.parametrize("named", [None, NAMED])
def test_the_sweep_is_smooth(named):
    n_frames = 2000
    motion = sweep_motion(50, named, n_frames=n_frames)
    track = torch.cat([motion.expression, motion.pose], dim=-1)
    velocity = track.diff(dim=0).abs().max()
    acceleration = track.diff(n=2, dim=0).abs().max()
    # A part lasts about 200 frames. Its largest speed is below 2 * 2 pi / 200 a frame, and its
    # acceleration in proportion; a jump of 1 % of the range would exceed both.
    assert velocity < 0.1
    assert acceleration < 0.01


def test_the_jaw_opens_to_its_range_and_never_closes_beyond_rest():
    jaw = sweep_motion(50, NAMED, n_frames=1000).rotation_vector(Joint.JAW)
    assert jaw[:, 0].max() == pytest.approx(0.35, abs=1e-3)
    assert jaw.min() >= 0
    assert (jaw[:, 1:] == 0).all()


def test_the_head_turns_to_both_sides():
    neck = sweep_motion(50, NAMED, n_frames=1000).rotation_vector(Joint.NECK)
    assert neck[:, 1].max() == pytest.approx(0.35, abs=1e-3)
    assert neck[:, 1].min() == pytest.approx(-0.35, abs=1e-3)
    assert (neck[:, [0, 2]] == 0).all()


def test_both_eyes_move_together_sideways_and_up_and_down():
    motion = sweep_motion(50, NAMED, n_frames=1000)
    left, right = (motion.rotation_vector(j) for j in (Joint.LEFT_EYE, Joint.RIGHT_EYE))
    assert torch.equal(left, right)
    assert left[:, 1].max() > 0.25
    assert left[:, 0].max() > 0.15


def test_the_global_rotation_stays_at_rest():
    assert (sweep_motion(50, NAMED, n_frames=100).rotation_vector(Joint.GLOBAL) == 0).all()


def test_named_expressions_are_shown_in_full_and_nothing_else():
    expression = sweep_motion(50, NAMED, n_frames=1000).expression
    assert expression[:, 3].max() == pytest.approx(1.5, abs=1e-3)
    assert expression[:, 7].max() == pytest.approx(1, abs=1e-3)
    assert expression[:, 11].min() == pytest.approx(-1, abs=1e-3)
    assert expression[:, 13].max() == pytest.approx(2, abs=1e-3)
    assert (expression[:, 12] == 0).all()


def test_without_names_the_first_components_go_two_deviations_to_both_sides():
    expression = sweep_motion(50, None, n_frames=1000).expression
    # The peaks lie between two frames.
    assert expression[:, :4].amax(dim=0).numpy() == pytest.approx(2, abs=0.01)
    assert expression[:, :4].amin(dim=0).numpy() == pytest.approx(-2, abs=0.01)
    assert (expression[:, 4:] == 0).all()


def test_of_many_named_expressions_the_first_eight_are_shown_in_their_order():
    named = {f"unit {i}": torch.eye(50)[i] for i in range(12)}
    expression = sweep_motion(50, named, n_frames=3000).expression
    assert (expression[:, 8:] == 0).all()
    peaks = expression[:2500, :8].argmax(dim=0)
    assert (peaks.diff() > 0).all()


def test_coefficients_may_be_arrays_and_longer_than_needed():
    motion = sweep_motion(10, {"smile": np.ones(50)}, n_frames=100)
    assert motion.expression.shape == (100, 10)


def test_coefficients_that_are_too_few_are_refused():
    with pytest.raises(ValueError, match="smile has 10 coefficients, not 50"):
        sweep_motion(50, {"smile": torch.ones(10)})


def test_the_seed_decides_the_mixture_and_nothing_else():
    first, again, other = (sweep_motion(50, NAMED, seed=s, n_frames=160) for s in (1, 1, 2))
    assert torch.equal(first.expression, again.expression)
    assert torch.equal(first.pose, other.pose)
    assert not torch.equal(first.expression, other.expression)
    assert torch.equal(first.expression[:130], other.expression[:130])


@pytest.mark.parametrize("n_frames", [1, 2, 7])
def test_a_sweep_of_few_frames_has_as_many(n_frames):
    motion = sweep_motion(50, NAMED, n_frames=n_frames)
    assert motion.expression.shape == (n_frames, 50)
    assert motion.pose.shape == (n_frames, 15)
    assert motion.pose[0].abs().max() == 0


@pytest.mark.parametrize("curve", [plateau, swing])
def test_easing_curves_start_and_end_at_zero_without_velocity(curve):
    t = torch.tensor([0.0, 1e-4, 1 - 1e-4, 1.0], dtype=torch.float64)
    assert curve(t).abs().max() < 1e-5


def test_a_smoothstep_is_monotonous_and_symmetric():
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert (smoothstep(t).diff() > 0).all()
    torch.testing.assert_close(smoothstep(t) + smoothstep(1 - t), torch.ones_like(t))
    assert smoothstep(torch.tensor([-1.0, 2.0])).tolist() == [0, 1]


def test_a_recording_is_replayed_as_it_was_tracked(tmp_path):
    path = write_subject(tmp_path, sub_dirs=("test",)) / "sphere" / "sphere" / "test"
    path = path / "flame_params.json"
    tree = json.loads(path.read_text())
    tree["frames"][2]["expression"] = list(range(50))
    tree["frames"][1]["pose"] = [math.sin(i) for i in range(15)]
    path.write_text(json.dumps(tree))
    motion = motion_from_json(path, 40)
    assert motion.expression.shape == (4, 40)
    assert motion.expression[2].tolist() == list(range(40))
    torch.testing.assert_close(motion.pose[1], torch.arange(15).sin())


def test_a_recording_with_too_few_coefficients_is_refused(tmp_path):
    path = write_subject(tmp_path, sub_dirs=("test",)) / "sphere" / "sphere" / "test"
    with pytest.raises(DataError, match=r"expression has 50 values.*trained with 100"):
        motion_from_json(path / "flame_params.json", 100)


def test_a_motion_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json: no such file"):
        motion_from_json(tmp_path / "nowhere.json", 50)
