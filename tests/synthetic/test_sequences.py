"""The sequences of a benchmark subject: who is inside the training's distribution, who is not."""

import numpy as np
import pytest

from imavatar.anatomy import Joint, pose_slice
from imavatar.synthetic.face_motion import GESTURES, MAX_JAW, MAX_UNIT
from imavatar.synthetic.sequences import (
    JAW_LEVELS,
    POSED,
    SMOOTH,
    SPEECH,
    UNIT_LEVELS,
    VIEW_PITCH,
    VIEW_YAW,
    extrapolation,
    in_distribution,
    pairs_together,
    ring_of_angles,
)

SIDED = ("mouthSmile", "browDown", "eyeBlink", "eyeSquint", "noseSneer", "mouthFrown", "mouthStretch", "mouthUpperUp")
UNITS = tuple(
    name
    for gesture, _ in GESTURES
    for name in ((f"{gesture}Left", f"{gesture}Right") if gesture in SIDED else (gesture,))
) + ("mh_nose-left-dilatation", "mh_nose-right-dilatation", "mh_mouth-parling")
JAW = pose_slice(Joint.JAW).start


@pytest.mark.parametrize("seed", range(4))
def test_inside_stays_in_the_range_and_never_has_the_pairs(seed):
    sequence = in_distribution(UNITS, 200, np.random.default_rng(seed))
    assert len(sequence) == 200 and sequence.motion.amplitudes.shape == (200, len(UNITS))
    lids = [k for k, name in enumerate(UNITS) if name.startswith("eyeBlink")]
    others = np.delete(sequence.motion.amplitudes, lids, axis=1)
    assert others.min() >= 0 and 0.9 * MAX_UNIT < others.max() <= MAX_UNIT
    jaw = sequence.motion.pose[:, JAW]
    assert jaw.min() >= 0 and 0.8 * MAX_JAW < jaw.max() <= MAX_JAW
    assert (pairs_together(sequence.motion) == 0).all()
    assert (sequence.level == -1).all()
    assert [sequence.part.count(part) for part in (SMOOTH, SPEECH, POSED)] == [120, 50, 30]


def test_speech_opens_the_jaw_several_times_a_second_and_poses_are_held():
    sequence = in_distribution(UNITS, 400, np.random.default_rng(0))
    part = np.array(sequence.part)
    jaw = sequence.motion.pose[part == SPEECH, JAW]
    closings = ((jaw[1:-1] < jaw[:-2]) & (jaw[1:-1] <= jaw[2:])).sum()
    assert len(jaw) / 8 < closings < len(jaw) / 4
    posed = sequence.motion.amplitudes[part == POSED]
    still = np.abs(np.diff(posed, axis=0)).max(axis=1) < 1e-9
    assert 0.3 < still.mean() < 0.7


@pytest.mark.parametrize("seed", range(4))
def test_outside_grows_bin_by_bin_and_has_the_pairs_in_half_of_the_frames_or_more(seed):
    sequence = extrapolation(UNITS, 100, np.random.default_rng(seed))
    lids = [k for k, name in enumerate(UNITS) if name.startswith("eyeBlink")]
    for level in range(4):
        rows = sequence.level == level
        assert rows.sum() == 25
        largest = sequence.motion.amplitudes[rows].max()
        assert (
            largest == pytest.approx(UNIT_LEVELS[level]) or largest == sequence.motion.amplitudes[rows][:, lids].max()
        )
        np.testing.assert_allclose(sequence.motion.pose[rows, JAW], JAW_LEVELS[level])
    assert (pairs_together(sequence.motion) > 0).mean() > 0.45
    assert sequence.motion.amplitudes[:, lids].max() <= 1


def test_views_go_once_around():
    views = ring_of_angles(40)
    np.testing.assert_allclose(views.min(axis=0), [-VIEW_YAW, -VIEW_PITCH])
    np.testing.assert_allclose(views.max(axis=0), [VIEW_YAW, VIEW_PITCH])
    step = np.linalg.norm(np.diff(np.concatenate([views, views[:1]]), axis=0), axis=1)
    assert step.max() < 0.12


def test_the_seed_decides_and_rows_choose_frames():
    first, again, other = (in_distribution(UNITS, 60, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.motion.amplitudes, again.motion.amplitudes)
    assert not np.allclose(first.motion.amplitudes, other.motion.amplitudes)
    chosen = first.rows(np.array([5, 40, 59]))
    np.testing.assert_array_equal(chosen.motion.pose, first.motion.pose[[5, 40, 59]])
    assert chosen.part == (first.part[5], first.part[40], first.part[59])
