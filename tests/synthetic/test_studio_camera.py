"""The studio's camera against the reader of its files: the same point falls on the same pixel."""

import numpy as np
import pytest
import torch

from imavatar.anatomy import HEAD_SCALE
from imavatar.data.subject import load_recording
from imavatar.data.subject_writer import SubjectWriter, TrackedFrame
from imavatar.rendering.camera import cast_rays
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.types import Camera


@pytest.mark.parametrize("size", [64, 129])
def test_what_the_camera_is_aimed_at_is_in_the_middle_of_the_image(size):
    camera = StudioCamera(size, centre=(0.01, -0.02, 0.03))
    pixels, depth = camera.project(HEAD_SCALE * np.array([camera.centre]))
    np.testing.assert_allclose(pixels, [[(size - 1) / 2] * 2])
    np.testing.assert_allclose(depth, HEAD_SCALE * camera.distance)


def test_a_turned_camera_is_at_its_distance_to_the_side_and_above_and_looks_at_the_centre():
    camera = StudioCamera(64, centre=(0.01, -0.02, 0.03), yaw=0.5, pitch=0.2)
    offset = camera.position - np.array(camera.centre)
    assert np.linalg.norm(offset) == pytest.approx(camera.distance)
    assert np.arctan2(offset[0], offset[2]) == pytest.approx(0.5)
    assert np.arcsin(offset[1] / camera.distance) == pytest.approx(0.2)
    pixels, depth = camera.project(HEAD_SCALE * np.array([camera.centre, camera.centre]) + [[0, 0, 0], [0, 0.1, 0]])
    np.testing.assert_allclose(pixels[0], [31.5, 31.5])
    np.testing.assert_allclose(depth[0], HEAD_SCALE * camera.distance)
    assert pixels[1, 0] == pytest.approx(31.5) and pixels[1, 1] < 31.5


def test_the_width_fills_the_image():
    camera = StudioCamera(100)
    side = np.array(camera.centre) + np.array([[-camera.width / 2, 0, 0], [camera.width / 2, 0, 0], [0, 0.05, 0]])
    pixels, _ = camera.project(HEAD_SCALE * side)
    np.testing.assert_allclose(pixels[:2, 0], [-0.5, 99.5])
    assert pixels[2, 1] < 49.5  # up is up
    assert np.degrees(2 * np.arctan(camera.width / 2 / camera.distance)) == pytest.approx(camera.field_of_view)


@pytest.mark.parametrize("turn", [{}, {"yaw": 0.6, "pitch": -0.3}])
def test_rays_of_the_written_camera_pass_through_the_points_it_projects(turn):
    camera = StudioCamera(128, **turn)
    points = HEAD_SCALE * np.random.default_rng(0).uniform(-0.1, 0.1, size=(50, 3))
    pixels, _ = camera.project(points)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = camera.world_mat[:, :3].T
    world_from_camera[:3, 3] = -camera.world_mat[:, :3].T @ camera.world_mat[:, 3]
    intrinsics = torch.tensor(camera.size * camera.intrinsics)[None]
    seen = Camera(intrinsics, torch.tensor(world_from_camera)[None])
    rays = cast_rays(seen, torch.tensor(pixels), torch.zeros(50, dtype=torch.long))
    offset = torch.tensor(points) - rays.origins
    along = (offset * rays.directions).sum(dim=1)
    assert (along > 0).all()
    assert (offset - along[:, None] * rays.directions).norm(dim=1).max() < 1e-9


def test_the_written_camera_is_read_back(tmp_path):
    camera = StudioCamera(32)
    writer = SubjectWriter(tmp_path / "train")
    image = np.zeros((32, 32, 3), np.uint8)
    writer.add_frame(
        image,
        image[..., 0],
        image[..., 0],
        TrackedFrame(
            world_mat=camera.world_mat,
            expression=np.zeros(50),
            pose=np.zeros(15),
            keypoints=np.zeros((70, 2)),
            bbox=np.array([-0.5, -0.5, 0.5, 0.5]),
        ),
    )
    writer.finish(camera.intrinsics, np.zeros(100))
    recording = load_recording(tmp_path / "train", "flame_params.json")
    np.testing.assert_allclose(recording.intrinsics, camera.intrinsics, rtol=1e-6)
    np.testing.assert_allclose(recording.frames[0].world_mat, camera.world_mat, rtol=1e-6)
