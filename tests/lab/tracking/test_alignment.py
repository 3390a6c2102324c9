"""Alignments against motions that are known."""

import numpy as np
from scipy.spatial.transform import Rotation

from imavatar_lab.tracking.alignment import angles, best_similarity, mean_rotation, rotations_between


def test_a_similarity_is_found_again():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(50, 3))
    rotation = Rotation.from_rotvec([0.4, -1.1, 0.2]).as_matrix()
    found = best_similarity(points, 1.7 * points @ rotation.T + [3, -2, 5])
    np.testing.assert_allclose(found.scale, 1.7, rtol=1e-12)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-12)
    np.testing.assert_allclose(found(points), 1.7 * points @ rotation.T + [3, -2, 5], atol=1e-12)


def test_a_rigid_motion_keeps_lengths():
    points = np.random.default_rng(0).normal(size=(50, 3))
    found = best_similarity(points, 2 * points + 1, scaled=False)
    assert found.scale == 1
    np.testing.assert_allclose(found.translation, 2 * points.mean(axis=0) + 1 - points.mean(axis=0), atol=1e-12)


def test_a_mirror_image_is_not_taken_for_a_rotation():
    points = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(np.linalg.det(best_similarity(points, points * [-1, 1, 1]).rotation), 1, rtol=1e-12)


def test_no_other_similarity_comes_closer():
    generator = np.random.default_rng(1)
    source = generator.normal(size=(30, 3))
    target = source + 0.3 * generator.normal(size=(30, 3))
    best = best_similarity(source, target)
    error = np.square(best(source) - target).sum()
    for _ in range(20):
        turn = Rotation.from_rotvec(1e-2 * generator.normal(size=3)).as_matrix()
        scale, shift = 1 + 1e-2 * generator.normal(), 1e-2 * generator.normal(size=3)
        assert np.square(scale * best(source) @ turn.T + shift - target).sum() > error


def test_rotations_of_frames_and_their_mean():
    points = np.random.default_rng(0).normal(size=(40, 3))
    turns = Rotation.from_euler("y", [[-10], [0], [10]], degrees=True).as_matrix()
    moved = points @ turns.transpose(0, 2, 1) + 3
    found = rotations_between(np.broadcast_to(points, moved.shape), moved)
    np.testing.assert_allclose(found, turns, atol=1e-12)
    np.testing.assert_allclose(mean_rotation(found), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(angles(found), [10, 0, 10], atol=1e-6)
