"""Evaluation of a sphere: a perfect rendering has perfect scores, and every file is written."""

import csv
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import trimesh

from imavatar.anatomy import HEAD_SCALE
from imavatar.data.dataset import FaceDataset
from imavatar.data.ground_truth import GroundTruth, write_ground_truth
from imavatar.data.subject_table import SubjectTable
from imavatar.data.video_file import read_frames
from imavatar.errors import ImavatarError
from imavatar.evaluation.metrics import PSNR_CAP
from imavatar.evaluation.results import OutputSettings, evaluate
from imavatar.evaluation.scoring import Networks
from imavatar.evaluation.tables import read_protocol
from imavatar.rendering.camera import to_view_depth
from imavatar.rendering.character import Character
from oracles_sphere import RADIUS, PlaybackRenderer, RecordingFlame, SphereAvatar, perfect_rendering
from oracles_subject import write_subject

SIZE = (40, 32)
N_FRAMES = 3
EVALUATED = ("full", "mask", "face", "eyes", "mouth")


@pytest.fixture
def dataset(tmp_path):
    folder = write_subject(tmp_path / "data", size=SIZE, n_frames=N_FRAMES, sub_dirs=("test",))
    return FaceDataset(folder, "sphere", ["test"], SIZE)


def character(flame=None):
    return Character(torch.nn.Identity(), flame or RecordingFlame(), torch.zeros(1, 0))


def run(dataset, out, renderer=None, **networks):
    if renderer is None:
        renderer = PlaybackRenderer([perfect_rendering(dataset.frame(i)) for i in range(N_FRAMES)])
    settings = OutputSettings(mesh_resolution=24)
    return evaluate(character(), dataset, renderer, out, networks=Networks(**networks), settings=settings)


def read_rgb(path):
    return cv2.imread(str(path))[..., ::-1]


def test_a_perfect_rendering_has_perfect_scores(dataset, tmp_path):
    mean = run(dataset, tmp_path / "out").mean
    assert mean["psnr"] == mean["psnr_masked"] == PSNR_CAP
    assert mean["ssim"] == pytest.approx(1)
    assert mean["mae"] == 0
    assert mean["mask_iou"] == 1


def test_every_file_is_written_and_nothing_else(dataset, tmp_path):
    out = tmp_path / "out"
    run(dataset, out)
    images = {f"{folder}/{k}.png" for folder in ("rgb", "normal", "combined") for k in (1, 2, 3)}
    tables = {"per_frame.csv", "metrics.json", "metrics.txt", "metrics.md"}
    protocols = {f"protocol_{name}.{kind}" for name in EVALUATED for kind in ("csv", "json")}
    written = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
    assert written == images | {"comparison.mp4", "mesh.ply"} | tables | protocols


def test_a_column_is_the_metric_of_one_protocol(dataset, tmp_path):
    dark = [
        replace(image, rgb=image.rgb - 0.2) for image in map(perfect_rendering, map(dataset.frame, range(N_FRAMES)))
    ]
    found = run(dataset, tmp_path, PlaybackRenderer(dark))
    means = {name: read_protocol(tmp_path / f"protocol_{name}.json").mean for name in EVALUATED}
    for metric in ("psnr", "ssim", "mae"):
        for name, suffix in (("full", ""), ("mask", "_masked"), ("face", "_face")):
            assert found.mean[metric + suffix] == means[name][metric] is not None
    assert len({found.mean[f"mae{suffix}"] for suffix in ("", "_masked", "_face")}) == 3
    assert found.mean["change_error"] == means["mask"]["change_error"]
    for name in ("eyes", "mouth"):
        assert found.mean[f"psnr_{name}"] == means[name]["psnr"] is not None


def test_the_images_are_the_rendering_and_its_normals_on_white(dataset, tmp_path):
    run(dataset, tmp_path)
    frame = dataset.frame(0)
    truth = ((frame.image + 1) * 127.5).round().byte().numpy()
    foreground = frame.foreground.numpy()
    normal = np.where(foreground[..., None], np.array([128, 128, 255]), 255)
    assert np.array_equal(read_rgb(tmp_path / "rgb" / "1.png"), truth)
    assert np.array_equal(read_rgb(tmp_path / "normal" / "1.png"), normal)
    strip = read_rgb(tmp_path / "combined" / "1.png")
    assert np.array_equal(strip, np.concatenate([truth, truth, normal], axis=1))


def test_the_video_shows_every_strip_enlarged_to_a_watchable_size(dataset, tmp_path):
    run(dataset, tmp_path)
    frames = list(read_frames(tmp_path / "comparison.mp4"))
    assert len(frames) == N_FRAMES
    assert frames[0].shape == (40 * 7, 3 * 32 * 7, 3)
    strip = read_rgb(tmp_path / "combined" / "1.png").repeat(7, axis=0).repeat(7, axis=1)
    assert np.abs(frames[0].astype(float) - strip).mean() < 6


def test_the_mesh_is_the_deformed_surface_of_the_first_frame(dataset, tmp_path):
    class ShiftedFlame(RecordingFlame):
        def forward(self, head, latent=None):
            posed = super().forward(head, latent)
            posed.bone_transforms[:, 0, 0, 3] = 0.25 * len(self.seen)
            return posed

    images = [perfect_rendering(dataset.frame(i)) for i in range(N_FRAMES)]
    settings = OutputSettings(mesh_resolution=24)
    evaluate(character(ShiftedFlame()), dataset, PlaybackRenderer(images), tmp_path, settings=settings)
    mesh = trimesh.load(tmp_path / "mesh.ply", process=False)
    assert mesh.is_watertight
    centred = mesh.vertices - [0.25, 0, 0]
    assert np.abs(np.linalg.norm(centred, axis=1) - RADIUS).max() < 0.01
    expected = (2 / 3 * centred / RADIUS + 1) / 2 * 255
    assert np.abs(mesh.visual.vertex_colors[:, :3] - expected).max() < 2


def test_the_json_holds_the_means_and_says_what_is_missing(dataset, tmp_path):
    summary = run(dataset, tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["n_frames"] == N_FRAMES
    assert content["mean"] == summary.mean
    assert content["mean"]["lpips"] is None
    assert content["mean"]["keypoint_error"] is None
    assert any("LPIPS is null" in note for note in content["notes"])
    assert any("keypoint error is null" in note for note in content["notes"])
    assert content["units"]["psnr"] == "dB"


def test_the_csv_has_a_line_for_every_frame_with_its_scores(dataset, tmp_path):
    summary = run(dataset, tmp_path, lpips=lambda first, second: float((first - second).abs().sum()))
    with (tmp_path / "per_frame.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["sub_dir"], row["frame"]) for row in rows] == [("test", "1"), ("test", "2"), ("test", "3")]
    assert float(rows[0]["psnr"]) == pytest.approx(summary.rows[0].values["psnr"], rel=1e-5)
    assert float(rows[0]["lpips"]) == 0


def test_the_printed_table_is_the_one_in_the_file(dataset, tmp_path):
    summary = run(dataset, tmp_path)
    assert (tmp_path / "metrics.txt").read_text() == summary.table() + "\n"
    assert "100.00" in summary.table()


def test_a_wrong_colour_and_a_missing_half_cost_what_they_should(dataset, tmp_path):
    frame = dataset.frame(0)
    perfect = perfect_rendering(frame)
    upper = torch.arange(SIZE[0])[:, None] < SIZE[0] // 2
    alpha = perfect.alpha * upper
    white = torch.ones_like(perfect.rgb)
    halved = type(perfect)(torch.where(upper[..., None], perfect.rgb, white), perfect.normal, alpha, alpha)
    mean = run(dataset, tmp_path, PlaybackRenderer([halved])).rows[0].values
    share = float((frame.foreground & upper).sum() / frame.foreground.sum())
    assert mean["mask_iou"] == pytest.approx(share)
    difference = (1 - frame.image)[(frame.foreground & ~upper)].sum() / 2
    assert mean["mae"] == pytest.approx(float(difference) / (SIZE[0] * SIZE[1] * 3), rel=1e-5)


def test_the_keypoint_error_is_counted_over_the_frames_with_a_face(dataset, tmp_path):
    # Of every frame the rendering is looked at, then its picture.
    shifts = iter([3.0, 0.0, None, 0.0, 5.0, 0.0])
    index = iter([0, 0, 1, 1, 2, 2])

    def detect(rgb):
        assert rgb.shape == (*SIZE, 3)
        shift, keypoints = next(shifts), dataset.frame(next(index)).keypoints[:68].numpy()
        return None if shift is None else keypoints + np.array([shift, 0])

    summary = run(dataset, tmp_path, detect=detect)
    assert summary.mean["keypoint_error"] == pytest.approx(4, abs=1e-5)
    assert "keypoint error: a face was found in 2 of 3 renderings" in summary.notes


def test_an_evaluation_that_breaks_off_leaves_no_old_metrics_behind(dataset, tmp_path):
    run(dataset, tmp_path)
    empty = SphereAvatar(radius=-1)
    images = [perfect_rendering(dataset.frame(0))]
    with pytest.raises(ImavatarError, match="no surface to make a mesh of"):
        run(dataset, tmp_path, PlaybackRenderer(images, empty))
    assert not (tmp_path / "metrics.json").exists()


def test_without_images_the_frames_are_rendered_and_the_json_says_so(dataset, tmp_path):
    images = [perfect_rendering(dataset.frame(i)) for i in range(N_FRAMES)]
    folder = dataset.records[0].image_path.parents[4]
    blind = SubjectTable(folder, "sphere", ["test"], SIZE)
    summary = run(blind, tmp_path / "out", PlaybackRenderer(images))
    assert summary.mean["psnr"] is None
    assert summary.notes[0] == "no image metrics: the test sequence was read without its images"
    assert read_rgb(tmp_path / "out" / "combined" / "3.png").shape == (40, 64, 3)
    assert not list((tmp_path / "out").glob("protocol_*"))


def test_frames_of_two_recordings_do_not_overwrite_each_other(tmp_path):
    folder = write_subject(tmp_path / "data", size=SIZE, n_frames=2, sub_dirs=("a", "b"))
    dataset = FaceDataset(folder, "sphere", ["a", "b"], SIZE)
    renderer = PlaybackRenderer([perfect_rendering(dataset.frame(i)) for i in range(4)])
    evaluate(character(), dataset, renderer, tmp_path / "out", settings=OutputSettings(mesh_resolution=24))
    names = sorted(path.name for path in (tmp_path / "out" / "rgb").iterdir())
    assert names == ["a_1.png", "a_2.png", "b_1.png", "b_2.png"]


def test_depth_is_compared_where_it_is_exact_on_the_face(dataset, tmp_path):
    frames = [dataset.frame(i) for i in range(N_FRAMES)]
    renderings = [perfect_rendering(frame) for frame in frames]
    for frame, rendering in zip(frames, renderings, strict=True):
        depth = to_view_depth(rendering.depth, frame.camera).numpy() / HEAD_SCALE
        exact = np.arange(SIZE[1])[None] < SIZE[1] // 2
        depth = np.where(depth > 0, depth + np.where(exact, 0.002, 0.05), 0)
        truth = GroundTruth(rendering.normal.numpy(), depth, np.broadcast_to(exact, SIZE))
        write_ground_truth(tmp_path / "data" / "sphere" / "sphere" / "test", frame.name, truth)
    mean = run(dataset, tmp_path / "out", PlaybackRenderer(renderings)).mean
    assert mean["depth_error_face"] == pytest.approx(2.0, abs=0.06)
    assert mean["normal_error_face"] < 0.1
