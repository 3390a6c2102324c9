"""Features of a rigid head: optical flow on a texture that moves by known amounts, projection, and what they add."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.anatomy import ParsingLabel
from imavatar.head.mesh_points import LEFT_BROW, LEFT_EYE, LIPS_INNER, RIGHT_EYE
from imavatar.preprocessing.feature_reprojection import FeatureReprojection, distances
from imavatar.preprocessing.feature_tracks import (
    KEY_INTERVAL,
    LOOP_INTERVAL,
    REACH,
    FeatureTracker,
    FeatureTracks,
    rigid_region,
)

SIZE = 128


def texture(shift: tuple[float, float]) -> np.ndarray:
    """A smooth random pattern, moved by pixels."""
    noise = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
    pattern = cv2.GaussianBlur(noise, (0, 0), 2.0)
    pattern = (pattern - pattern.min()) / np.ptp(pattern) * 255
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    return cv2.warpAffine(pattern, move, (SIZE, SIZE), flags=cv2.INTER_CUBIC).astype(np.uint8)


def tracker(shifts: np.ndarray, video: np.ndarray) -> FeatureTracker:
    """Frames with the pattern at the given places; features in the middle of the image."""
    frames = [texture(shift) for shift in shifts]
    middle = np.zeros((SIZE, SIZE), dtype=bool)
    middle[40:88, 40:88] = True
    return FeatureTracker(frames.__getitem__, lambda index: middle, video)


@pytest.fixture(scope="module")
def swaying():
    """Fifty frames that sway and come back, the last twenty of another recording."""
    phase = np.linspace(0, 4 * np.pi, 50)
    shifts = 3 * np.stack([np.sin(phase), 0.5 * np.cos(phase)], axis=1)
    video = np.repeat([0, 1], [30, 20])
    features = tracker(shifts, video)
    return shifts, video, features, features.follow()


def moved(tracks: FeatureTracks, shifts: np.ndarray) -> np.ndarray:
    """How far each sighting is from where the pattern went."""
    expected = tracks.start[tracks.track] + shifts[tracks.frame] - shifts[tracks.start_frame[tracks.track]]
    return np.linalg.norm(tracks.points - expected, axis=1)


def test_features_follow_the_pattern_to_a_fraction_of_a_pixel(swaying):
    shifts, _, _, tracks = swaying
    assert len(tracks) > 50
    assert len(tracks.track) > 5 * len(tracks)
    assert np.median(moved(tracks, shifts)) < 0.15
    assert np.quantile(moved(tracks, shifts), 0.95) < 0.4


def test_features_start_in_key_frames_and_stay_in_their_recording(swaying):
    _, video, _, tracks = swaying
    assert (tracks.start_frame % KEY_INTERVAL == 0).all()
    start = tracks.start_frame[tracks.track]
    assert (video[start] == video[tracks.frame]).all()
    distance = np.abs(start - tracks.frame)
    assert distance.min() >= 1
    assert distance.max() <= REACH


def test_a_frame_without_texture_ends_the_tracks(swaying):
    shifts, *_ = swaying
    features = tracker(shifts[:20], np.zeros(20, np.int64))
    frames = [features.grey(k) for k in range(20)]
    frames[5] = np.full((SIZE, SIZE), 90, np.uint8)
    tracks = FeatureTracker(frames.__getitem__, features.region, features.video).follow()
    from_first = tracks.start_frame[tracks.track] == 0
    assert tracks.frame[from_first].max() < 5


def test_no_features_are_no_tracks():
    blank = np.full((SIZE, SIZE), 90, np.uint8)
    tracks = FeatureTracker(lambda k: blank, lambda k: np.ones((SIZE, SIZE), bool), np.zeros(15, np.int64)).follow()
    assert len(tracks) == 0
    assert len(tracks.track) == 0


def far_and_back() -> tuple[np.ndarray, FeatureTracker]:
    """The pattern is hidden in the middle of the recording and stands elsewhere when it returns."""
    shifts = np.zeros((80, 2))
    shifts[45:] = [6.0, -4.0]
    features = tracker(shifts, np.zeros(80, np.int64))
    frames = [features.grey(k) for k in range(80)]
    for index in range(35, 45):
        frames[index] = np.full((SIZE, SIZE), 90, np.uint8)
    return shifts, FeatureTracker(frames.__getitem__, features.region, features.video)


def test_features_are_found_again_near_where_they_are_expected():
    shifts, features = far_and_back()
    tracks = features.follow()
    still = np.tile(np.eye(3), (80, 1, 1))

    def expected(frame, rows):
        return tracks.start[rows] + shifts[frame] - shifts[tracks.start_frame[rows]] + [1.0, 0.5]

    more = features.close_loops(tracks, still, expected)
    added = slice(len(tracks.track), None)
    assert len(more.track) > len(tracks.track) + 100
    reach = np.abs(more.start_frame[more.track[added]] - more.frame[added])
    assert reach.min() > REACH
    assert np.median(moved(more, shifts)[added]) < 0.1
    assert (more.weight[added] > tracks.weight.max()).all()


def test_features_far_from_where_they_are_expected_are_not_believed():
    shifts, features = far_and_back()
    tracks = features.follow()
    still = np.tile(np.eye(3), (80, 1, 1))
    more = features.close_loops(tracks, still, lambda frame, rows: tracks.start[rows] + [15.0, 15.0])
    wrong = moved(more, shifts)[len(tracks.track) :] > 1.0
    assert wrong.sum() < 0.02 * len(tracks) * 80 / LOOP_INTERVAL


def test_views_from_elsewhere_are_not_compared():
    shifts, features = far_and_back()
    tracks = features.follow()
    turned = Rotation.from_rotvec(np.linspace(0, 3, 80)[:, None] * [0, 1, 0]).as_matrix()
    more = features.close_loops(tracks, turned, lambda frame, rows: tracks.start[rows] + shifts[frame])
    assert len(more.track) == len(tracks.track)


@pytest.fixture
def face() -> np.ndarray:
    """Landmarks of a 512-pixel image: all in an oval, those of eyes, brows and lips at their places."""
    angle = np.linspace(0, 2 * np.pi, 468)
    points = np.stack([256 + 110 * np.sin(angle), 256 - 150 * np.cos(angle)], axis=1)
    for loop, centre in (
        (RIGHT_EYE, (206, 226)),
        (LEFT_EYE, (306, 226)),
        (LEFT_BROW, (306, 190)),
        (LIPS_INNER, (256, 330)),
    ):
        turn = np.linspace(0, 2 * np.pi, len(loop), endpoint=False)
        points[list(loop)] = np.array(centre) + 18 * np.stack([np.cos(turn), 0.5 * np.sin(turn)], axis=1)
    return points


def test_the_rigid_region_is_hair_ears_and_forehead(face):
    semantic = np.zeros((512, 512), np.uint8)
    cv2.ellipse(semantic, (256, 250), (170, 210), 0, 0, 360, ParsingLabel.HAIR, -1)
    cv2.ellipse(semantic, (256, 256), (110, 150), 0, 0, 360, ParsingLabel.SKIN, -1)
    region = rigid_region(semantic, face)
    for column, row, inside in (
        (256, 70, True),  # hair above
        (256, 150, True),  # forehead
        (120, 256, True),  # beside the face
        (206, 226, False),  # eye
        (306, 190, False),  # brow
        (256, 290, False),  # below the eyes
        (120, 400, False),  # hangs
        (20, 20, False),  # background
        (256, 43, False),  # outline of the hair
    ):
        assert region[row, column] == inside, (column, row)


@dataclass
class Scene:
    """Points on a rigid head that turns and moves before a camera."""

    motion: torch.Tensor  # [n, 3, 4]
    focal: float
    centre: torch.Tensor
    at_rest: torch.Tensor  # [t, 3]
    start_frame: np.ndarray

    def pixels(self, track, frame) -> torch.Tensor:
        """Where points are in frames."""
        motion = self.motion[frame]
        points = (motion[..., :3] @ self.at_rest[track][..., None])[..., 0] + motion[..., 3]
        flip = torch.tensor([1.0, -1.0], dtype=torch.float64)
        return self.centre + points[:, :2] * flip * (self.focal / -points[:, 2:])

    def tracks(self) -> FeatureTracks:
        """Perfect sightings of every point in every frame."""
        n, t = len(self.motion), len(self.at_rest)
        track, frame = np.repeat(np.arange(t), n), np.tile(np.arange(n), t)
        start = self.pixels(torch.arange(t), torch.as_tensor(self.start_frame)).numpy()
        return FeatureTracks(self.start_frame, start, track, frame, self.pixels(track, frame).numpy(), np.ones(n * t))


@pytest.fixture
def scene() -> Scene:
    generator = np.random.default_rng(3)
    rotation = Rotation.from_rotvec(generator.normal(size=(6, 3)) * 0.2).as_matrix()
    shift = generator.normal(size=(6, 3, 1)) * 0.1 + [[0], [0], [-3.0]]
    motion = torch.as_tensor(np.concatenate([rotation, shift], axis=2))
    at_rest = torch.as_tensor(generator.uniform(-0.5, 0.5, size=(40, 3)))
    centre = torch.tensor([60.0, 70.0], dtype=torch.float64)
    return Scene(motion, 300.0, centre, at_rest, generator.integers(0, 6, 40))


def relief_of(scene: Scene) -> torch.Tensor:
    start = scene.motion[scene.start_frame]
    return (start[:, 2, :3] * scene.at_rest).sum(dim=1)


def misses(term: FeatureReprojection, scene: Scene, depth_offset: torch.Tensor) -> torch.Tensor:
    return distances(term.project(scene.motion, depth_offset, torch.tensor(scene.focal), scene.centre), term.points)


def test_rigid_points_with_their_depths_reproject_exactly(scene):
    tracks = scene.tracks()
    term = FeatureReprojection(tracks, scene.centre)
    assert misses(term, scene, relief_of(scene)).max() < 1e-5


def test_wrong_depths_show(scene):
    term = FeatureReprojection(scene.tracks(), scene.centre)
    wrong = relief_of(scene) + 0.2
    distance = misses(term, scene, wrong)
    assert distance.mean() > 1.0


def test_the_depths_can_be_found_from_the_sightings(scene):
    term = FeatureReprojection(scene.tracks(), scene.centre)
    depth_offset = torch.zeros(len(scene.at_rest), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([depth_offset], max_iter=100, tolerance_grad=1e-12, tolerance_change=1e-14)

    def loss():
        optimiser.zero_grad()
        value = misses(term, scene, depth_offset).square().mean()
        value.backward()
        return value

    optimiser.step(loss)
    assert (depth_offset.detach() - relief_of(scene)).abs().max() < 1e-3


def test_more_sightings_leave_the_features_as_they_were(scene):
    tracks = scene.tracks()
    more = tracks.extended(np.array([0, 1]), np.array([2, 3]), np.zeros((2, 2)), 3.0)
    assert len(more) == len(tracks)
    assert len(more.track) == len(tracks.track) + 2
    assert replace(tracks, weight=more.weight[:-2]).weight.sum() == tracks.weight.sum()
