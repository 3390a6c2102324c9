"""A motion becomes a video with a frame for every row."""

import pytest
import torch

from imavatar.data.video_file import read_frames
from imavatar.export.animation import render_animation
from imavatar.rendering.character import Character
from imavatar.rendering.image import RenderedImage
from imavatar.types import Camera, HeadParameters, View
from oracles_sphere import PlaybackRenderer, RecordingFlame

N_FRAMES = 5


def flat_image(height, width, grey):
    """A grey rendering whose normals look at the camera."""
    alpha = torch.ones(height, width)
    normal = torch.tensor([0.0, 0.0, 1.0]).expand(height, width, 3)
    return RenderedImage(torch.full((height, width, 3), grey), normal, alpha, alpha)


@pytest.fixture
def animated(tmp_path, capsys):
    """The video's frames, the head model, the renderer and the lines about progress."""
    greys = torch.linspace(-0.8, 0.8, N_FRAMES).tolist()
    renderer = PlaybackRenderer([flat_image(33, 21, grey) for grey in greys])
    flame = RecordingFlame()
    motion = HeadParameters(torch.arange(50.0).repeat(N_FRAMES, 1), torch.zeros(N_FRAMES, 15))
    motion.pose[:, 6] = torch.linspace(0, 0.3, N_FRAMES)
    camera = Camera(torch.tensor([[-30.0, 30.0, 10.0, 16.0]]), torch.eye(4)[None])
    out = render_animation(
        Character(torch.nn.Identity(), flame, torch.zeros(1, 0)),
        renderer,
        motion,
        View(camera, 33, 21),
        tmp_path / "new" / "a.mp4",
        fps=10,
    )
    return list(read_frames(out)), flame, renderer, capsys.readouterr().err


def test_the_video_has_a_frame_for_every_row_colours_beside_normals(animated):
    frames = animated[0]
    assert len(frames) == N_FRAMES
    assert frames[0].shape == (33 * 8, 2 * 21 * 8, 3)
    for frame, grey in zip(frames, torch.linspace(-0.8, 0.8, N_FRAMES).tolist(), strict=True):
        assert abs(float(frame[40:-40, 40:120].mean()) - (grey + 1) * 127.5) < 4
        assert abs(frame[40:-40, 208:296].mean(axis=(0, 1)) - [128, 128, 255]).max() < 6


def test_every_row_is_posed_once_and_seen_by_the_same_camera(animated):
    _, flame, renderer, _ = animated
    jaw = torch.cat([head.pose[:, 6] for head in flame.seen])
    torch.testing.assert_close(jaw, torch.linspace(0, 0.3, N_FRAMES))
    cameras = [call[0].intrinsics for call in renderer.calls]
    assert all(torch.equal(camera, cameras[0]) for camera in cameras)


def test_progress_of_an_animation_counts_its_frames(animated):
    first, last = animated[3].splitlines()
    assert first.startswith(f"frames rendered: 0/{N_FRAMES}")
    assert last.startswith(f"frames rendered: {N_FRAMES}/{N_FRAMES}")
