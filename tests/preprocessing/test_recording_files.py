"""What is written of a fit puts the head's landmarks where the fit has them, in pictures of any shape."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from imavatar.data.images import write_png
from imavatar.data.subject import load_recording
from imavatar.data.subject_table import SubjectTable
from imavatar.data.subject_writer import frame_entry, write_recording
from imavatar.errors import DataError
from imavatar.head.assets import save_head
from imavatar.head.detector_bias import DetectorBias, bias_path, save_bias
from imavatar.head.flame import Flame
from imavatar.head.landmarks import N_LANDMARKS, embedding_path, flame_keypoints, save_embedding
from imavatar.preprocessing import focal_fit, tracking
from imavatar.preprocessing import track_images as image_tracking
from imavatar.preprocessing.focal_search import Lens
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.recording_files import file_intrinsics, to_file_range, tracked_frame
from imavatar.preprocessing.track_images import track_images
from imavatar.preprocessing.tracking import fit_head
from imavatar.rendering.camera import project
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

SIZE = (128, 96)
FOCAL, N = 240.0, 24
CENTRES = [None, (20.0, 160.0)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One thread and few steps."""
    for module, name, steps in (
        (tracking, "RIGID_STEPS", 20),
        (tracking, "ALL_STEPS", 60),
        (tracking, "LOOP_STEPS", 10),
        (tracking, "APPEARANCE_STEPS", 5),
        (focal_fit, "RIGID_STEPS", 20),
        (focal_fit, "SEARCH_STEPS", 40),
        (focal_fit, "NEXT_STEPS", 20),
    ):
        monkeypatch.setattr(module, name, steps)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def head():
    assets = ellipsoid_head()
    return assets, random_embedding(assets)


def turning(head, centre: tuple[float, float]) -> np.ndarray:
    """Landmarks and pupils [N, 470, 2], continuous pixels, of a head that turns in the middle of the pictures."""
    assets, embedding = head
    pose = torch.zeros(N, 15)
    pose[:, 4] = torch.linspace(-0.3, 0.3, N)
    vertices = Flame(assets, torch.zeros(100)).vertices(HeadParameters(torch.zeros(N, 50), pose))
    points = [embedding.points(vertices, torch.as_tensor(assets.faces)), flame_keypoints(vertices, *head)[:, -2:]]
    height, width = SIZE
    depth = 5.0
    aside = np.array([(width / 2 - centre[0]), (centre[1] - height / 2)]) * depth / FOCAL
    local = torch.cat(points, dim=1).numpy() + [*aside, -depth]
    return np.array(centre) + FOCAL * local[..., :2] * [1, -1] / -local[..., 2:]


def observed(points: np.ndarray, centre: tuple[float, float] | None) -> Observations:
    return Observations(
        landmarks=points[:, :N_LANDMARKS],
        irises=points[:, N_LANDMARKS:],
        iris_weight=np.ones((N, 2)),
        video=np.zeros(N, np.int64),
        time=np.arange(N),
        size=SIZE,
        principal_point=centre,
    )


@pytest.mark.parametrize("centre", CENTRES)
def test_the_written_camera_puts_keypoints_where_the_fit_has_them(tmp_path, head, centre):
    observations = observed(turning(head, centre or (SIZE[1] / 2, SIZE[0] / 2)), centre)
    result = fit_head(observations, *head, lens=Lens(FOCAL))
    assert result.relative_error.max() < 0.02
    folder = tmp_path / "me" / "me" / "train"
    folder.mkdir(parents=True)
    entries = [frame_entry(str(k + 1), tracked_frame(k, observations, result)) for k in range(N)]
    write_recording(folder / "flame_params.json", entries, file_intrinsics(FOCAL, observations), result.shape)
    table = SubjectTable(tmp_path, "me", ["train"], SIZE)
    fx, fy, *_ = table.camera([0]).intrinsics[0].tolist()
    assert (fx, fy) == pytest.approx((-FOCAL, FOCAL))
    vertices = Flame(head[0], torch.as_tensor(table.shape_params)).vertices(table.head())
    seen = project(table.camera(), flame_keypoints(vertices, *head))
    recorded = torch.stack([table.frame(k).keypoints for k in range(N)])
    torch.testing.assert_close(seen, recorded, atol=1e-2, rtol=0)
    torch.testing.assert_close(recorded + 0.5, torch.as_tensor(result.keypoints).float(), atol=1e-3, rtol=0)
    box = table.frame(3).bbox.numpy()
    points = observations.landmarks[3] - 0.5
    np.testing.assert_allclose(box, [*points.min(axis=0), *points.max(axis=0)], atol=1e-3)


def test_minus_one_and_one_are_the_pictures_edges():
    corners = np.array([[0.5, 0.5], [96.5, 128.5]])
    np.testing.assert_allclose(to_file_range(corners, SIZE), [[-1, -1], [1, 1]])


@pytest.fixture
def recorded(tmp_path, head, monkeypatch):
    """A recording of pictures that are taller than wide, whose labels are smaller; and a head file."""
    points = turning(head, (SIZE[1] / 2, SIZE[0] / 2))
    folder = tmp_path / "me" / "me" / "train"
    for kind in ("image", "mask", "semantic"):
        (folder / kind).mkdir(parents=True)
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    for k in range(1, N + 1):
        write_png(folder / "image" / f"{k}.png", image)
        write_png(folder / "mask" / f"{k}.png", image[..., 0])
        write_png(folder / "semantic" / f"{k}.png", np.zeros((64, 48), np.uint8))
    observations = observed(points, None)
    result = fit_head(observations, *head, lens=Lens(FOCAL))
    entries = [frame_entry(str(k + 1), tracked_frame(k, observations, result)) for k in range(N)]
    write_recording(folder / "flame_params.json", entries, file_intrinsics(FOCAL, observations), result.shape)
    save_head(tmp_path / "head.npz", head[0])
    save_embedding(embedding_path(tmp_path / "head.npz"), head[1], head[0])
    save_bias(bias_path(tmp_path / "head.npz"), DetectorBias.none())

    class Detector:
        """Finds the landmarks of one frame after the other."""

        def __init__(self):
            self.next = iter(points - 0.5)

        def reset(self):
            """Start a recording."""

        def detect(self, rgb):
            """The next frame's."""
            seen = next(self.next)
            return FaceLandmarks(seen[:-2], seen[-2:, None].repeat(5, axis=1), 1.0)

    monkeypatch.setattr(image_tracking, "landmarker", lambda backend: Detector())
    return tmp_path


def test_recordings_of_pictures_of_any_shape_are_tracked_again(recorded, head):
    found = track_images(recorded / "me" / "me", ["train"], "again.json", recorded / "head.npz")
    assert found.frames_written == {"train": N} and found.errors["error_share"] < 0.02
    again, given = (load_recording(recorded / "me/me/train", name) for name in ("again.json", "flame_params.json"))
    np.testing.assert_allclose(again.frames[5].bbox, given.frames[5].bbox, atol=1e-9)
    table = SubjectTable(recorded, "me", ["train"], SIZE, json_name="again.json")
    vertices = Flame(head[0], torch.as_tensor(table.shape_params)).vertices(table.head([5]))
    seen = project(table.camera([5]), flame_keypoints(vertices, *head))[0]
    torch.testing.assert_close(seen, table.frame(5).keypoints, atol=1e-2, rtol=0)
    assert -again.intrinsics[0] * SIZE[1] == pytest.approx(again.intrinsics[1] * SIZE[0])


def test_pictures_of_different_sizes_are_refused(recorded):
    path = recorded / "me/me/train/image/7.png"
    write_png(path, cv2.resize(cv2.imread(str(path)), (50, 60)))
    with pytest.raises(DataError, match=r"7\.png: the image has 50 x 60 pixels, expected 96 x 128 as of .*1\.png"):
        track_images(recorded / "me" / "me", ["train"], "again.json", recorded / "head.npz")


def test_files_hold_the_frames_parameters(head):
    observations = observed(turning(head, (48.0, 64.0)), None)
    result = fit_head(observations, *head, lens=Lens(FOCAL))
    moved = replace(result, translation=result.translation + 1)
    frame = tracked_frame(2, observations, moved, video_frame=7)
    np.testing.assert_allclose(frame.world_mat[:, 3], result.translation[2] + 1)
    assert frame.video_frame == 7
