"""Scores under named protocols: which pixels count, perfect and wrong renderings, and what is written."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import FaceDataset
from imavatar.errors import DataError
from imavatar.evaluation.metrics import PSNR_CAP
from imavatar.evaluation.protocol_scores import MEASURES, Scored, Tools, mean_scores, score_sequence, write_protocol
from imavatar.evaluation.protocol_table import protocol_table
from imavatar.evaluation.protocols import PROTOCOLS
from imavatar.evaluation.surface_distance import TrueMeshes
from oracles_ellipsoid_head import ellipsoid
from oracles_sphere import RADIUS, PlaybackRenderer, RecordingFlame, perfect_rendering
from oracles_subject import write_subject

SIZE = (48, 40)
N_FRAMES = 3
ALL = [PROTOCOLS[name] for name in ("paper", "foreground", "no-cloth")]


@pytest.fixture
def dataset(tmp_path):
    folder = write_subject(tmp_path / "data", size=SIZE, n_frames=N_FRAMES, sub_dirs=("test",))
    return FaceDataset(folder, "sphere", ["test"], SIZE, use_semantics=True)


def perfect(dataset):
    return [perfect_rendering(dataset.frame(i)) for i in range(N_FRAMES)]


def scores(dataset, images, **options):
    renderer = PlaybackRenderer(images)
    return score_sequence(dataset, RecordingFlame(), renderer, ALL, mesh_resolution=48, **options)


def test_pixels_of_the_protocols_are_nested_and_lack_what_they_say(dataset):
    frame = dataset.frame(0)
    face, mask, bare = (protocol.pixels(frame) for protocol in ALL)
    assert torch.equal(mask, frame.foreground)
    assert 0 < face.sum() < mask.sum() and not (face & ~mask).any()
    cloth = frame.semantics[..., SemanticClass.CLOTH] > 0.5
    assert cloth.any() and torch.equal(bare, mask & ~cloth)


def test_without_semantics_clothes_cannot_be_left_out(dataset):
    with pytest.raises(DataError, match="frame 1 in sub_dir test has no semantic map"):
        PROTOCOLS["no-cloth"].pixels(replace(dataset.frame(0), semantics=None))


def test_a_perfect_rendering_is_perfect_under_every_protocol(dataset):
    for scored in scores(
        dataset, perfect(dataset), tools=Tools(lpips=lambda a, b: float((a - b).abs().sum()))
    ).values():
        mean = mean_scores(scored)
        assert mean["psnr"] == PSNR_CAP and mean["mae"] == 0 and mean["lpips"] == 0 and mean["mask_iou"] == 1
        assert mean["ssim"] == pytest.approx(1) and mean["change_error"] == 0


def test_an_offset_of_the_colours_costs_what_it_should_where_it_counts(dataset):
    images = perfect(dataset)
    face = PROTOCOLS["paper"].pixels(dataset.frame(0))
    shifted = []
    for image in images:
        rgb = torch.where(face[..., None], image.rgb, image.rgb.clamp(max=0.5) + 0.5)
        shifted.append(replace(image, rgb=rgb))
    found = scores(dataset, shifted[:1] * 3)
    assert found["paper"][0].values["mae"] == 0
    assert found["foreground"][0].values["mae"] > 0.01
    darker = [
        replace(image, rgb=torch.where(face[..., None], image.rgb.clamp(min=-0.8) - 0.2, image.rgb)) for image in images
    ]
    values = scores(dataset, darker)["paper"][0].values
    truth = dataset.frame(0).image[face]
    expected = ((truth.clamp(min=-0.8) - 0.2).clamp(-1, 1) - truth).abs() / 2
    assert values["mae"] == pytest.approx(float(expected.mean()), rel=1e-5)
    assert values["psnr"] == pytest.approx(-10 * math.log10(float(expected.square().mean())), rel=1e-5)


def test_the_expression_error_compares_detections_and_the_landmark_error_with_the_projected_ones(dataset):
    frame = dataset.frame(0)
    points, calls = frame.keypoints[:68].numpy(), []

    def detect(image):
        calls.append(image)
        return points + (np.array([3.0, 4.0]) if len(calls) % 2 else np.array([0.0, 4.0]))

    values = scores(dataset, perfect(dataset), tools=Tools(detect=detect))["paper"][0].values
    assert values["keypoint_error"] == pytest.approx(5)
    assert values["expression_error"] == pytest.approx(3)
    nobody = scores(dataset, perfect(dataset), tools=Tools(detect=lambda image: None))["paper"][0].values
    assert nobody["keypoint_error"] is None and nobody["expression_error"] is None


def test_the_surface_is_compared_with_the_true_mesh_in_millimetres(dataset, tmp_path):
    vertices, faces = ellipsoid([(RADIUS + 0.02) / 4] * 3, [0, 0, 0], 60, 80)
    path = tmp_path / "vertices.npz"
    np.savez(path, vertices=np.repeat(vertices[None], N_FRAMES, axis=0), faces=faces)
    found = scores(dataset, perfect(dataset), truth=TrueMeshes(path))["paper"]
    assert found[0].values["surface_distance"] == pytest.approx(0.02 * 250, rel=0.05)
    assert found[1].values.get("surface_distance") is None
    for name in ("9", "²", "-1", "one"):
        with pytest.raises(DataError, match=f"has frames 1 to 3, none is '{name}'"):
            TrueMeshes(path).of(replace(dataset.frame(0), name=name))


def test_true_meshes_that_are_damaged_are_refused(tmp_path):
    path = tmp_path / "vertices.npz"
    np.savez_compressed(path, vertices=np.zeros((3, 400, 3)), faces=np.zeros((7, 3), int))
    whole = path.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2], whole[:200] + bytes(40) + whole[240:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"vertices\.npz: cannot be read as vertices"):
            TrueMeshes(path)
    np.savez(path, vertices=np.zeros((400, 3)), faces=np.zeros((7, 3), int))
    with pytest.raises(DataError, match=r"shape \(400, 3\) and faces \(7, 3\), expected \[n, v, 3\]"):
        TrueMeshes(path)


def test_means_leave_out_what_is_undefined():
    rows = [Scored("test", "1", 1.0, 0.1, {"mae": 0.1}), Scored("test", "2", 1.0, 0.1, {"mae": None})]
    assert mean_scores(rows) == {name: 0.1 if name == "mae" else None for name in MEASURES}


def test_files_say_which_protocol_every_number_is_of(dataset, tmp_path):
    scored = scores(dataset, perfect(dataset))["foreground"]
    for fitted, name in ((False, "protocol_foreground"), (True, "protocol_foreground_fit")):
        path = write_protocol(tmp_path / "out", scored, PROTOCOLS["foreground"], size=SIZE, fitted=fitted)
        assert path.name == f"{name}.json"
        content = json.loads(path.read_text())
        assert content["protocol"] == ("foreground with a fit to each picture" if fitted else "foreground")
        assert content["size"] == list(SIZE) and content["frames"] == N_FRAMES
        with path.with_suffix(".csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["frame"] for line in lines] == ["1", "2", "3"]
        assert {line["protocol"] for line in lines} == {content["protocol"]}
        assert float(lines[0]["psnr"]) == PSNR_CAP and lines[0]["lpips"] == ""
        assert float(lines[0]["jaw"]) == pytest.approx(0.2)
        text = protocol_table([("subject/method test", content)])
        assert content["protocol"] in text.splitlines()[0] and "100.00" in text and "LPIPS" not in text
