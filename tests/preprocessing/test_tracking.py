"""The fit on landmarks projected from known parameters."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.anatomy import N_SHAPE_COLUMNS
from imavatar.errors import DataError
from imavatar.head.apertures import apertures
from imavatar.head.flame import Flame
from imavatar.head.landmarks import N_LANDMARKS, flame_keypoints
from imavatar.head.lid_units import lid_units
from imavatar.preprocessing.feature_tracks import FeatureTracker, FeatureTracks
from imavatar.preprocessing.focal_search import Lens
from imavatar.preprocessing.initial_pose import orthographic_pose
from imavatar.preprocessing.landmark_model import LandmarkModel
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.tracking import check_fit, fit_head
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

SIZE, FOCAL, N = 256, 600.0, 40


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small tensors: a second thread only costs time, on a busy machine a lot of it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def head():
    """The ellipsoid head and landmarks on it."""
    assets = ellipsoid_head()
    return assets, random_embedding(assets)


@pytest.fixture(scope="module")
def truth():
    """Smooth motion: shape, expression, pose, translation (model units)."""
    generator = np.random.default_rng(2)
    time = np.linspace(0, 2 * np.pi, N, endpoint=False)
    pose = np.zeros((N, 15))
    pose[:, 0:3] = [0.05, 0.1, 0.02]
    pose[:, 3], pose[:, 4], pose[:, 5] = 0.1 * np.sin(2 * time), 0.35 * np.sin(time), 0.05 * np.cos(time)
    pose[:, 6] = 0.15 + 0.15 * np.sin(2 * time)
    pose[:, 9:11] = pose[:, 12:14] = 0.12 * np.stack([np.sin(time), np.cos(2 * time)], axis=1)
    expression = 0.4 * np.sin(time[:, None] + generator.uniform(0, 6, 50))
    translation = np.stack([0.05 * np.sin(time), 0 * time, -3.5 + 0 * time], axis=1)
    return generator.normal(size=100) * 0.4, expression, pose, translation


def posed(head, truth) -> np.ndarray:
    """Landmarks and pupils in the camera's frame by the whole head model, [N, 470, 3]."""
    assets, embedding = head
    shape, expression, pose, translation = (torch.as_tensor(part, dtype=torch.float64) for part in truth)
    vertices = Flame(assets, shape).vertices(HeadParameters(expression, pose)) + translation[:, None]
    points = embedding.points(vertices, torch.as_tensor(assets.faces))
    return torch.cat([points, flame_keypoints(vertices, assets, embedding)[:, -2:]], dim=1).numpy()


@pytest.fixture(scope="module")
def observations(head, truth):
    """What a perfect detector would see."""
    return seen_from(head, truth)


@pytest.fixture(scope="module")
def result(head, observations):
    """The fit to perfect detections, the focal length given."""
    return fit_head(observations, *head, lens=Lens(FOCAL))


def head_rotation(pose: np.ndarray) -> Rotation:
    """Of the head in the camera's frame: global, then neck."""
    return Rotation.from_rotvec(pose[:, :3]) * Rotation.from_rotvec(pose[:, 3:6])


def degrees_apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle between the head rotations of two sets of poses."""
    return np.rad2deg((head_rotation(first).inv() * head_rotation(second)).magnitude())


def test_the_landmark_model_equals_the_whole_head_model(head, truth):
    shape, expression, pose, translation = (torch.as_tensor(part, dtype=torch.float64) for part in truth)
    points = LandmarkModel(*head, dtype=torch.float64)(shape, expression, pose) + translation[:, None]
    np.testing.assert_allclose(points, posed(head, truth), atol=1e-6)


def test_the_closed_form_start_recovers_an_orthographic_view_exactly():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(50, 3))
    rotation = Rotation.random(4, random_state=1).as_matrix()
    scale, shift = np.array([0.5, 1, 2, 3]), generator.normal(size=(4, 2))
    image = scale[:, None, None] * (points @ rotation.transpose(0, 2, 1))[..., :2] + shift[:, None]
    found = orthographic_pose(points, image, generator.uniform(0.1, 1, 50))
    for value, expected in zip(found, (rotation, scale, shift), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-9)


def test_a_fit_to_perfect_landmarks_recovers_the_motion(result, truth):
    _, _, pose, translation = truth
    assert result.relative_error.max() < 0.003
    assert degrees_apart(result.pose, pose).mean() < 2.0
    assert np.abs(result.pose[:, 6] - pose[:, 6]).mean() < 0.03
    assert np.abs(result.pose[:, 9:] - pose[:, 9:]).mean() < 0.05
    motion = result.translation - result.translation.mean(axis=0)
    assert np.abs(motion - (translation - translation.mean(axis=0))).mean() < 0.03
    assert result.focal == pytest.approx(FOCAL)


def test_the_whole_recording_shares_one_rotation_of_the_body(result):
    assert np.ptp(result.pose[:, :3], axis=0).max() == 0


def test_one_fit_survives_noise_and_a_missing_frame(head, observations, truth):
    keep = np.delete(np.arange(N), 7)
    noise = np.random.default_rng(5).normal(size=(N - 1, N_LANDMARKS, 2))
    noisy = replace(
        observations,
        landmarks=observations.landmarks[keep] + noise,
        irises=observations.irises[keep],
        iris_weight=np.zeros((N - 1, 2)),
        video=observations.video[keep],
        time=observations.time[keep],
    )
    result = fit_head(noisy, *head, lens=Lens(FOCAL))
    assert degrees_apart(result.pose, truth[2][keep]).mean() < 3.0
    true_error = np.linalg.norm(result.landmarks - observations.landmarks[keep], axis=-1).mean()
    assert true_error < 0.6 * np.linalg.norm(noise, axis=-1).mean()


@pytest.mark.slow
def test_a_focal_length_is_estimated_and_the_face_still_fits(head, observations):
    result = fit_head(observations, *head)
    assert result.focal == pytest.approx(FOCAL, rel=0.1)
    assert result.focal_range.low < FOCAL < result.focal_range.high
    assert result.relative_error.mean() < 0.003
    check_fit(result, observations)


def test_keypoints_are_the_68_of_ibug_and_the_pupils(result, observations):
    assert result.keypoints.shape == (N, 70, 2)
    assert np.abs(result.keypoints[:, 68:] - observations.irises).mean() < 1.0


def test_a_fit_that_is_far_off_is_refused_with_numbers(result, observations):
    bad = replace(result, error=result.error + 0.06 * result.face_height[:, None])
    assert not bad.valid.any()
    with pytest.raises(DataError, match=r"6\.\d % of the face's height.*--crop"):
        check_fit(bad, observations)


def test_a_head_outside_the_image_is_refused(result, observations):
    with pytest.raises(DataError, match="outside the image of 256 x 256 pixels"):
        check_fit(replace(result, landmarks=result.landmarks + 400), observations)


class TrueFeatures(FeatureTracker):
    """Stands in for optical flow: points of the skull where they really are."""

    def __init__(self, motion: np.ndarray):
        generator = np.random.default_rng(1)
        points = generator.normal(size=(60, 3))
        points *= 0.45 / np.linalg.norm(points, axis=1, keepdims=True)
        camera = (motion[:, None, :, :3] @ points[..., None])[..., 0] + motion[:, None, :, 3]  # [n, t, 3]
        # The class that it stands in for is frozen.
        vars(self)["pixels"] = SIZE / 2 + FOCAL * camera[..., :2] * [1, -1] / -camera[..., 2:]

    def follow(self) -> FeatureTracks:
        """Every fourth frame shows every point."""
        frames = np.arange(0, N, 4)
        track, frame = np.repeat(np.arange(60), len(frames)), np.tile(frames, 60)
        start = np.zeros(60, np.int64)
        return FeatureTracks(start, self.pixels[0], track, frame, self.pixels[frame, track], np.ones(len(track)))

    def close_loops(self, tracks, rotation, predict) -> FeatureTracks:
        """Nothing new; what is expected must be near the truth by now."""
        expected = predict(20, np.arange(60))
        assert np.linalg.norm(expected - self.pixels[20], axis=1).mean() < 3.0
        return tracks


def test_features_of_the_skull_correct_landmarks_that_turn_too_little(head, observations, truth):
    """Regressed landmarks of a raised head look less raised than they are: here by a quarter."""
    assets, _ = head
    shape, expression, pose, translation = truth
    lazy = pose.copy()
    lazy[:, 3] *= 0.75
    points = posed(head, (shape, expression, lazy, translation))
    pixels = SIZE / 2 + FOCAL * points[..., :2] * [1, -1] / -points[..., 2:]
    biased = replace(observations, landmarks=pixels[:, :N_LANDMARKS], irises=pixels[:, N_LANDMARKS:])
    parameters = HeadParameters(torch.as_tensor(expression), torch.as_tensor(pose))
    motion = Flame(assets, torch.as_tensor(shape))(parameters).bone_transforms[:, -4, :3].numpy().copy()
    motion[..., 3] += translation
    helped = fit_head(biased, *head, lens=Lens(FOCAL), features=TrueFeatures(motion))

    def pitch_error(found):
        found, true = head_rotation(found).as_rotvec()[:, 0], head_rotation(pose).as_rotvec()[:, 0]
        return np.abs((found - found.mean()) - (true - true.mean())).mean()

    # Landmarks alone would give what they were made with.
    assert pitch_error(helped.pose) < 0.5 * pitch_error(lazy)
    assert helped.relative_error.mean() < 0.02


def seen_from(head, truth) -> Observations:
    """What a perfect detector would see of other parameters."""
    points = posed(head, truth)
    pixels = SIZE / 2 + FOCAL * points[..., :2] * [1, -1] / -points[..., 2:]
    count = len(pixels)
    return Observations(
        landmarks=pixels[:, :N_LANDMARKS],
        irises=pixels[:, N_LANDMARKS:],
        iris_weight=np.ones((count, 2)),
        video=np.zeros(count, np.int64),
        time=np.arange(count),
        size=(SIZE, SIZE),
    )


def test_a_blink_and_a_wink_of_one_frame_come_back(head, truth):
    """Smoothness must not take away what lasts a frame."""
    shape, expression, pose, translation = (np.array(part) for part in truth)
    right, left = lid_units(*head)
    expression[20] += right + left
    expression[30] += right
    observations = seen_from(head, (shape, expression, pose, translation))
    found = fit_head(observations, *head, lens=Lens(FOCAL))
    true, fitted = (apertures(landmarks)[:, :2] for landmarks in (observations.landmarks, found.landmarks))
    for frame, eyes in ((20, [0, 1]), (30, [0])):
        before = [frame - 1, frame + 1]
        closing, seen = (curve[before].mean(axis=0) - curve[frame] for curve in (true, fitted))
        assert np.abs(closing[eyes]).min() > 1.0  # pixels: there is something to see
        assert seen[eyes] == pytest.approx(closing[eyes], rel=0.2)


def test_a_squint_of_some_frames_comes_back(head, truth):
    """The eyes turn apart for half a second. A squint for all of a recording may be the detector's mistake."""
    directions = head[0].shapedirs.copy()
    # Those of a real head do not move the eyes' corners and pupils as they like; these do.
    directions[..., N_SHAPE_COLUMNS:] = 0
    head = replace(head[0], shapedirs=directions), head[1]
    shape, expression, pose, translation = (np.array(part) for part in truth)
    squint, cross_eyed = 0.2, np.arange(8, 20)
    rise_and_fall = np.sin(np.pi * (np.arange(12) + 0.5) / 12) ** 2
    pose[cross_eyed, 10] -= squint / 2 * rise_and_fall  # left eye, about y
    pose[cross_eyed, 13] += squint / 2 * rise_and_fall  # right eye
    found = fit_head(seen_from(head, (shape, expression, pose, translation)), *head, lens=Lens(FOCAL))
    apart = found.pose[:, 13] - found.pose[:, 10]
    assert apart[cross_eyed].max() - np.delete(apart, cross_eyed).mean() > 0.5 * squint
