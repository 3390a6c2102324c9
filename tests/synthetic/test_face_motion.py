"""The synthetic subject's motion: smooth, within the training's range, the same for the same seed."""

import numpy as np
import pytest

from imavatar.anatomy import N_EXPRESSION, N_SHAPE_COLUMNS, Joint, pose_slice
from imavatar.synthetic.face_motion import MAX_JAW, MAX_PITCH, MAX_ROLL, MAX_UNIT, MAX_YAW, random_motion
from imavatar.synthetic.makehuman_person import expression_of_units
from oracles_ellipsoid_head import ellipsoid_head

UNITS = ("mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "eyeBlinkRight", "jawForward", "mouthLeft", "mouthRight")


def motion(seed: int, n: int = 300):
    return random_motion(UNITS, n, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_motion_stays_within_its_range_and_uses_it(seed):
    sequence = motion(seed)
    assert sequence.amplitudes.min() >= 0
    smile = sequence.amplitudes[:, 0:2].max()
    assert 0.3 < smile <= MAX_UNIT
    assert sequence.amplitudes[:, 2:4].max() <= 0.9
    neck = np.abs(sequence.pose[:, pose_slice(Joint.NECK)]).max(axis=0)
    assert (neck <= [MAX_PITCH, MAX_YAW, MAX_ROLL]).all()
    assert (neck > 0.6 * np.array([MAX_PITCH, MAX_YAW, MAX_ROLL])).all()
    jaw = sequence.pose[:, pose_slice(Joint.JAW)][:, 0]
    assert jaw.min() >= 0 and 0.6 * MAX_JAW < jaw.max() <= MAX_JAW


@pytest.mark.parametrize("seed", range(5))
def test_motion_is_smooth(seed):
    sequence = motion(seed)
    assert np.abs(np.diff(sequence.amplitudes, axis=0)).max() < 0.4
    moving = sequence.pose[:, sequence.pose.std(axis=0) > 0]
    steps = np.diff(moving, axis=0)
    # Independent draws would give sqrt(2); the jaw, the quickest, opens and closes within 7 frames.
    assert (steps.std(axis=0) < 0.75 * moving.std(axis=0)).all()


def test_strength_multiplies_all_but_what_closes_the_lids():
    plain = motion(2)
    strong = random_motion(UNITS, 300, np.random.default_rng(2), strength=1.6)
    np.testing.assert_allclose(strong.pose, 1.6 * plain.pose)
    np.testing.assert_allclose(strong.amplitudes[:, :2], 1.6 * plain.amplitudes[:, :2])
    assert plain.amplitudes[:, 2:4].max() < strong.amplitudes[:, 2:4].max() <= 0.9


def test_units_that_no_gesture_names_rest_and_sides_of_the_mouth_are_gestures_of_their_own():
    sequence = motion(0)
    assert (sequence.amplitudes[:, UNITS.index("jawForward")] == 0).all()
    left, right = (sequence.amplitudes[:, UNITS.index(name)] for name in ("mouthLeft", "mouthRight"))
    assert not np.allclose(left, right)
    smile = sequence.amplitudes[:, :2]
    active = smile.min(axis=1) > 0.05
    ratio = smile[active].min(axis=1) / smile[active].max(axis=1)
    assert np.ptp(ratio) < 1e-9 and ratio[0] > 0.66


def test_the_seed_decides():
    np.testing.assert_array_equal(motion(3).pose, motion(3).pose)
    assert not np.allclose(motion(3).pose, motion(4).pose)


def test_expressions_reproduce_units_that_lie_in_the_basis():
    head, generator = ellipsoid_head(), np.random.default_rng(0)
    basis = head.shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + N_EXPRESSION].astype(np.float64)
    mix = generator.normal(size=(2, N_EXPRESSION))
    units = np.einsum("vce,ue->uvc", basis, mix)
    np.testing.assert_allclose(expression_of_units(units, head), mix, atol=1e-6)
