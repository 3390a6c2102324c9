"""Curves of a fit whose pose, gaze and apertures are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from imavatar.head.apertures import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS
from imavatar.preprocessing.focal_search import FocalRange
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.track_curves import track_curves
from imavatar.preprocessing.tracking import TrackingResult

N = 3


def made(pose=None, translation=None, landmarks=None, fitted=None):
    """A fit and what it was made from: faces of 200 pixels height, unless landmarks are given."""
    if landmarks is None:
        landmarks = np.random.default_rng(0).uniform(0, 200, (N, 468, 2))
        landmarks[:, 10, 1], landmarks[:, 152, 1] = 0, 200
    fitted = landmarks if fitted is None else fitted
    observations = Observations(
        landmarks=landmarks,
        irises=np.zeros((N, 2, 2)),
        iris_weight=np.ones((N, 2)),
        video=np.zeros(N, np.int64),
        time=np.arange(N),
        size=(300, 300),
    )
    result = TrackingResult(
        shape=np.zeros(100),
        expression=np.zeros((N, 50)),
        pose=np.zeros((N, 15)) if pose is None else pose,
        translation=np.tile([0.0, 0.0, -4.0], (N, 1)) if translation is None else translation,
        focal=600.0,
        focal_range=FocalRange(600.0, 600.0 / 1.1, 600.0 * 1.1),
        landmarks=fitted,
        keypoints=np.zeros((N, 70, 2)),
        error=np.linalg.norm(fitted - landmarks, axis=-1),
        face_height=observations.face_height,
    )
    return track_curves(observations, result)


def test_a_head_that_turns_to_its_left_looks_up_and_leans_to_its_right_shoulder():
    pose = np.zeros((N, 15))
    # About y the nose goes to +x, the head's left; about x it goes down; about z +x goes up.
    for row, axis in enumerate("yxz"):
        pose[row, 3:6] = Rotation.from_euler(axis, 20 if axis != "x" else -20, degrees=True).as_rotvec()
    rotation = made(pose).rotation
    np.testing.assert_allclose(rotation, 20 * np.eye(3), atol=1e-9)


def test_the_body_and_the_neck_turn_the_head_together():
    pose = np.zeros((N, 15))
    pose[:, 1], pose[:, 4] = 0.2, 0.3
    np.testing.assert_allclose(made(pose).rotation[:, 0], np.degrees(0.5))


def test_a_head_beside_the_axis_that_is_turned_to_the_camera_is_frontal():
    place = np.array([1.5, -0.8, -4.0])
    to_camera = -place / np.linalg.norm(place)
    yaw, down = np.arctan2(to_camera[0], to_camera[2]), -np.arcsin(to_camera[1])
    pose = np.zeros((N, 15))
    pose[:, 3:6] = Rotation.from_euler("YX", [yaw, down]).as_rotvec()
    np.testing.assert_allclose(Rotation.from_rotvec(pose[0, 3:6]).apply([0, 0, 1]), to_camera)
    curves = made(pose, np.tile(place, (N, 1)))
    np.testing.assert_allclose(curves.rotation, 0, atol=1e-9)
    np.testing.assert_allclose(curves.position, np.tile([37.5, -20.0, 100.0], (N, 1)))
    away = made(np.zeros((N, 15)), np.tile(place, (N, 1)))
    assert away.rotation[0, 0] == pytest.approx(-np.degrees(yaw), rel=0.03) and away.rotation[0, 1] < -5


def test_gaze_is_of_each_eye_in_the_head():
    pose = np.zeros((N, 15))
    pose[:, 3:6] = 0.4
    pose[:, 12:15] = Rotation.from_euler("y", 12, degrees=True).as_rotvec()  # the right eye
    pose[:, 9:12] = Rotation.from_euler("x", -8, degrees=True).as_rotvec()
    np.testing.assert_allclose(made(pose).gaze, np.tile([[12, 0], [0, 8]], (N, 1, 1)), atol=1e-9)


def test_apertures_and_errors_are_shares_of_the_faces_height():
    landmarks = np.zeros((N, 468, 2))
    landmarks[:, 152, 1] = 200
    for pairs, distance in ((RIGHT_LIDS, 10), (LEFT_LIDS, 12), (INNER_LIPS, 30)):
        for upper, lower in pairs:
            landmarks[:, upper] = [50, 100]
            landmarks[:, lower] = [50, 100 + distance]
    landmarks[:, 33], landmarks[:, 263] = [0, 50], [100, 50]
    landmarks[:, 133], landmarks[:, 362] = [40, 50], [60, 50]
    landmarks[:, 105], landmarks[:, 334] = [20, 30], [80, 40]
    landmarks[:, 61], landmarks[:, 291] = [20, 150], [80, 150]
    curves = made(landmarks=landmarks, fitted=landmarks + [4.0, 0.0])
    np.testing.assert_allclose(curves.detected, np.tile([0.05, 0.06, 0.15], (N, 1)))
    np.testing.assert_allclose(curves.fitted, curves.detected)
    np.testing.assert_allclose(curves.error, 0.02)
    np.testing.assert_allclose(curves.mouth_width, 0.6)
    np.testing.assert_allclose(curves.brow_height, 0.15)
    np.testing.assert_allclose(curves.face_height, 200)
    assert len(curves.rows(np.array([True, False, True]))) == 2
