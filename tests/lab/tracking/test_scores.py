"""Scores of a tracked head that differs from the true one by motions that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.anatomy import MM_PER_UNIT, Joint, pose_slice
from imavatar.head.flame import Flame
from imavatar.head.landmarks import pupil_weights
from imavatar.preprocessing.landmarks import PIXEL_CENTRE, FaceLandmarks
from imavatar.types import HeadParameters
from imavatar_lab.tracking.clip_scores import projected_landmarks, score_clip
from imavatar_lab.tracking.head_track import HeadRegions, HeadTrack, joined
from imavatar_lab.tracking.scores import score_track
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

N, SIZE = 12, 96


@pytest.fixture(scope="module")
def head():
    """The ellipsoid head, landmarks on it, and its regions."""
    assets = ellipsoid_head()
    _, y, z = assets.v_template.T
    skin = assets.weights[:, 3:].sum(axis=1) == 0
    regions = HeadRegions(
        face=np.flatnonzero(skin & (z > 0.03) & (abs(y) < 0.07)),
        skull=np.flatnonzero(skin & (z < 0) & (y > -0.05)),
        eyeballs=tuple(np.flatnonzero(assets.weights[:, eye] == 1) for eye in (Joint.RIGHT_EYE, Joint.LEFT_EYE)),
        pupils=pupil_weights(assets),
        head_faces=assets.faces,
    )
    return assets, random_embedding(assets), regions


def track_of(assets, *, eyes=0.0, turned=None) -> HeadTrack:
    """The head before a camera: it nods, speaks, and looks about; `eyes` (radians) are added to where it looks."""
    time = np.linspace(0, 2 * np.pi, N)
    pose = np.zeros((N, 15))
    pose[:, 3] = 0.1 * np.sin(time)
    pose[:, pose_slice(Joint.JAW).start] = 0.1 + 0.1 * np.sin(2 * time)
    for eye in (Joint.LEFT_EYE, Joint.RIGHT_EYE):
        pose[:, pose_slice(eye).start + 1] = 0.1 * np.cos(time) + eyes
    expression = 0.5 * np.sin(time[:, None] + np.arange(50))
    flame = Flame(assets, torch.zeros(100, dtype=torch.float64))
    vertices = flame.vertices(HeadParameters(torch.tensor(expression), torch.tensor(pose))).numpy()
    if turned is not None:
        vertices = vertices @ turned.transpose(0, 2, 1)
    return HeadTrack(
        names=tuple(str(k) for k in range(1, N + 1)),
        time=np.arange(N),
        vertices=MM_PER_UNIT * (vertices + [0, 0, -4]),
        jaw=pose[:, pose_slice(Joint.JAW).start],
        intrinsics=np.array([-2.0, 2.0, 0.5, 0.5]),
    )


def scores(head, tracked, true) -> dict:
    """The numbers of a comparison."""
    assets, embedding, regions = head
    return score_track(tracked, true, assets.faces, regions, embedding, SIZE).values


def test_the_truth_has_no_error(head):
    true = track_of(head[0])
    found = scores(head, true, true)
    for name in ("rotation", "surface", "surface_posed", "lid_error", "lip_error", "gaze", "jaw", "jitter"):
        assert found[name] == pytest.approx(0, abs=2e-3), name
    assert found["focal_ratio"] == found["silhouette"] == 1
    assert found["lip_correlation"] is None or found["lip_correlation"] == pytest.approx(1)


def test_one_similarity_of_the_whole_recording_is_no_error(head):
    true = track_of(head[0])
    turn = Rotation.from_rotvec([0.1, -0.2, 0.05]).as_matrix()
    tracked = replace(true, vertices=1.3 * true.vertices @ turn.T + [10, -20, -300])
    found = scores(head, tracked, true)
    for name in ("rotation", "surface", "surface_posed"):
        assert found[name] == pytest.approx(0, abs=1e-2), name
    # The eyes look elsewhere, seen from the camera.
    assert 10 < found["gaze"] < 14


def test_rotations_that_change_from_frame_to_frame_are_errors(head):
    turns = Rotation.from_euler("y", np.where(np.arange(N) % 2, 3.0, -3.0)[:, None], degrees=True).as_matrix()
    found = scores(head, track_of(head[0], turned=turns), track_of(head[0]))
    assert found["rotation"] == pytest.approx(3, abs=1e-6)
    assert found["surface"] > 0.5 > 0.3 > found["surface_posed"]
    assert found["jitter"] > 1


def test_eyes_that_look_elsewhere_are_an_error_of_gaze_alone(head):
    found = scores(head, track_of(head[0], eyes=np.radians(7)), track_of(head[0]))
    assert found["gaze"] == pytest.approx(7, abs=0.02)
    assert found["rotation"] == pytest.approx(0, abs=1e-4)


def test_shape_jaw_focal_length_and_outline(head):
    true = track_of(head[0])
    wide = replace(true, vertices=true.vertices * [1.1, 1, 1], jaw=true.jaw + np.radians(2))
    found = scores(head, replace(wide, intrinsics=true.intrinsics * [1.25, 1.25, 1, 1]), true)
    assert found["focal_ratio"] == pytest.approx(1.25)
    assert found["jaw"] == pytest.approx(2)
    assert found["surface_posed"] > 0.3
    # Larger by 1.25 in both directions and by 1.1 in one.
    assert found["silhouette"] == pytest.approx(1 / (1.25**2 * 1.1), abs=0.03)


def test_frames_are_chosen_by_name_and_parts_joined(head):
    true = track_of(head[0])
    chosen = true.rows(["3", "5"])
    np.testing.assert_array_equal(chosen.vertices, true.vertices[[2, 4]])
    assert joined([true.at(range(5)), true.at(range(5, N))]).names == true.names


def test_a_clip_whose_detections_are_the_heads_own_landmarks_has_no_error(head):
    assets, embedding, regions = head
    track = track_of(assets)
    points, pupils = projected_landmarks(track, assets.faces, regions, embedding, SIZE)
    seen = [
        FaceLandmarks(p - PIXEL_CENTRE, np.repeat(eyes[:, None], 5, axis=1) - PIXEL_CENTRE, 1.0)
        for p, eyes in zip(points, pupils, strict=True)
    ]
    found = score_clip(track, [None, *seen[1:]], assets.faces, regions, embedding, SIZE)
    assert len(found.time) == N - 1
    for name in ("lids", "irises", "lips", "brows", "oval", "rest", "lid_error", "lip_error", "jitter"):
        assert found.values[name] == pytest.approx(0, abs=1e-9), name
    moved = [replace(face, points=face.points + [0, 3.0]) for face in seen]
    height = np.ptp(points[..., 1], axis=1)
    shifted = score_clip(track, moved, assets.faces, regions, embedding, SIZE).values
    assert shifted["lips"] == shifted["rest"] == pytest.approx((3 / height).mean())
    assert shifted["irises"] == pytest.approx(0, abs=1e-9)
