"""Scores under named protocols: perfect and wrong renderings, in memory and in files."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from imavatar.data.dataset import FaceDataset
from imavatar.errors import DataError
from imavatar.evaluation.metrics import METRICS, PSNR_CAP
from imavatar.evaluation.protocols import PROTOCOLS
from imavatar.evaluation.scoring import FrameScores, Networks, _starts, colour_scores, score
from imavatar.evaluation.surface_distance import TrueMeshes
from imavatar.evaluation.tables import protocol_table, read_protocol, summarise, write_protocol
from imavatar.rendering.character import Character
from oracles_ellipsoid_head import ellipsoid
from oracles_sphere import RADIUS, PlaybackRenderer, RecordingFlame, perfect_rendering
from oracles_subject import write_subject

SIZE = (48, 40)
N_FRAMES = 3


@pytest.fixture
def dataset(tmp_path):
    folder = write_subject(tmp_path / "data", size=SIZE, n_frames=N_FRAMES, sub_dirs=("test",))
    return FaceDataset(folder, "sphere", ["test"], SIZE, use_semantics=True)


def perfect(dataset):
    return [perfect_rendering(dataset.frame(i)) for i in range(N_FRAMES)]


def scores(dataset, images, **options):
    character = Character(torch.nn.Identity(), RecordingFlame(), torch.zeros(1, 0))
    return score(character, dataset, PlaybackRenderer(images), list(PROTOCOLS.values()), **options)


def means(scored):
    return {summary.name: summary.mean for summary in summarise(scored, all_metrics=True)}


def test_a_perfect_rendering_is_perfect_under_every_protocol(dataset):
    networks = Networks(lpips=lambda a, b: float((a - b).abs().sum()))
    found = scores(dataset, perfect(dataset), networks=networks)
    assert list(found) == list(PROTOCOLS)
    for scored in found.values():
        mean = means(scored)
        assert mean["psnr"] == PSNR_CAP and mean["mae"] == 0 and mean["lpips"] == 0 and mean["mask_iou"] == 1
        assert mean["ssim"] == pytest.approx(1) and mean["change_error"] == 0


def test_what_a_frame_is_rendered_with_can_be_chosen(dataset):
    flame = RecordingFlame()
    character = Character(torch.nn.Identity(), flame, torch.zeros(1, 0))
    bent = []

    def pose(frame):
        bent.append(replace(frame.head, expression=frame.head.expression + len(bent) + 1))
        return character.pose(bent[-1])

    renderer = PlaybackRenderer(perfect(dataset))
    found = score(character, dataset, renderer, [PROTOCOLS["full"]], pose=pose)
    shown = [call[1].expression[0, 0].item() for call in renderer.calls]
    assert shown == [1, 2, 3] and len(flame.seen) == N_FRAMES
    assert [row.strength for row in found["full"]] == [0, 0, 0]


def test_every_frame_is_rendered_once_and_handed_on_with_its_rendering(dataset, capsys):
    images, kept = perfect(dataset), []
    scores(dataset, images, keep=lambda frame, rendered: kept.append((frame.name, rendered)))
    assert [name for name, _ in kept] == ["1", "2", "3"]
    assert all(rendered is image for (_, rendered), image in zip(kept, images, strict=True))
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("frames of test scored: 0/3") and last.startswith("frames of test scored: 3/3")


def test_changes_are_compared_within_a_recording(tmp_path):
    folder = write_subject(tmp_path / "two", size=SIZE, n_frames=2, sub_dirs=("a", "b"), semantics=False)
    dataset = FaceDataset(folder, "sphere", ["a", "b"], SIZE)
    character = Character(torch.nn.Identity(), RecordingFlame(), torch.zeros(1, 0))
    images = [perfect_rendering(dataset.frame(k)) for k in range(4)]
    found = score(character, dataset, PlaybackRenderer(images), [PROTOCOLS["full"]])["full"]
    assert ["change_error" in row.values for row in found] == [False, True, False, True]


def test_changes_are_not_measured_over_gaps_of_a_video(dataset):
    def starts(*numbers):
        records = [replace(dataset.records[0], video_frame=number) for number in numbers]
        return [k for k, start in enumerate(_starts(records)) if start]

    assert starts(3, 4, 5, 7, 8, 108, 109, 110) == [0, 5]
    assert starts(0, 5, 10, 20, 120, 125, 130) == [0, 4]
    assert starts(0, 1, 2, 1, 2) == [0, 3]
    assert starts(None, None, None) == [0]
    dataset.records = [replace(r, video_frame=n) for r, n in zip(dataset.records, (4, 5, 4), strict=True)]
    found = scores(dataset, perfect(dataset))["full"]
    assert ["change_error" in row.values for row in found] == [False, True, False]


def test_frames_without_the_part_are_left_out_and_counted(dataset, tmp_path):
    """Of the second frame the landmarks lie beyond the picture."""
    dataset.records[1] = replace(dataset.records[1], keypoints=dataset.records[1].keypoints + 10)
    found = scores(dataset, perfect(dataset), networks=Networks(lpips=lambda a, b: 0.25))["mouth"]
    assert [row.values["psnr"] for row in found] == [PSNR_CAP, None, PSNR_CAP]
    assert [row.values["lpips"] for row in found] == [0.25, None, 0.25]
    written = write_protocol(tmp_path, found, PROTOCOLS["mouth"], size=SIZE, split="blocks")
    assert (written.counted, written.frames, written.mean["psnr"]) == (2, 3, PSNR_CAP)
    assert read_protocol(tmp_path / "protocol_mouth.json") == written
    lines = protocol_table([("a run", written)]).splitlines()
    assert lines[1].split()[:3] == ["run", "split", "frames"] and "blocks  2 of 3" in lines[2]


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

    values = scores(dataset, perfect(dataset), networks=Networks(detect=detect))["paper"][0].values
    assert values["keypoint_error"] == pytest.approx(5)
    assert values["expression_error"] == pytest.approx(3)
    nobody = scores(dataset, perfect(dataset), networks=Networks(detect=lambda image: None))["paper"][0].values
    assert nobody["keypoint_error"] is None and nobody["expression_error"] is None


def test_the_surface_is_compared_with_the_recordings_mesh_in_millimetres(dataset):
    vertices, faces = ellipsoid([(RADIUS + 0.02) / 4] * 3, [0, 0, 0], 60, 80)
    recording = dataset.records[0].folder
    assert TrueMeshes.find(recording) is None
    path = recording / "ground_truth" / "vertices.npz"
    path.parent.mkdir()
    np.savez(path, vertices=np.repeat(vertices[None], N_FRAMES, axis=0), faces=faces)
    found = scores(dataset, perfect(dataset))["paper"]
    assert found[0].values["surface_distance"] == pytest.approx(0.02 * 250, rel=0.05)
    assert found[1].values.get("surface_distance") is None
    for name in ("9", "²", "-1", "one"):
        with pytest.raises(DataError, match=f"has frames 1 to 3, none is '{name}'"):
            TrueMeshes(path).of(replace(dataset.frame(0), name=name))


def test_true_meshes_outside_of_their_recording_are_refused(dataset, tmp_path):
    recording = dataset.records[0].folder
    (tmp_path / "vertices.npz").touch()
    (recording / "ground_truth").mkdir()
    (recording / "ground_truth" / "vertices.npz").symlink_to(tmp_path / "vertices.npz")
    with pytest.raises(DataError, match="out of the recording's folder"):
        TrueMeshes.find(recording)


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
    rows = [FrameScores("test", str(k), 1.0, 0.1, {"mae": mae}) for k, mae in ((1, 0.1), (2, None))]
    assert means(rows) == {name: 0.1 if name == "mae" else None for name in METRICS}


def test_files_say_which_protocol_every_number_is_of(dataset, tmp_path):
    scored = scores(dataset, perfect(dataset))["foreground"]
    for fitted, name in ((False, "protocol_foreground"), (True, "protocol_foreground_fit")):
        written = write_protocol(tmp_path / "out", scored, PROTOCOLS["foreground"], size=SIZE, fitted=fitted)
        path = tmp_path / "out" / f"{name}.json"
        content = json.loads(path.read_text())
        assert content["protocol"] == ("foreground with a fit to each picture" if fitted else "foreground")
        assert content["size"] == list(SIZE) and content["frames"] == N_FRAMES
        assert read_protocol(path) == written
        with path.with_suffix(".csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["frame"] for line in lines] == ["1", "2", "3"]
        assert {line["protocol"] for line in lines} == {content["protocol"]}
        assert float(lines[0]["psnr"]) == PSNR_CAP and lines[0]["lpips"] == ""
        assert float(lines[0]["jaw"]) == pytest.approx(0.2)
        text = protocol_table([("subject/method test", written)])
        assert content["protocol"] in text.splitlines()[0] and "100.00" in text and "LPIPS" not in text


@pytest.fixture
def images():
    """Two related random images."""
    generator = torch.Generator().manual_seed(3)
    first = torch.rand(37, 29, 3, generator=generator)
    noise = torch.randn(37, 29, 3, generator=generator)
    return first, (first + 0.1 * noise).clamp(0, 1)


def left_half(height=37, width=29):
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[:, : width // 2] = True
    return mask


def test_scores_within_a_region_do_not_see_the_rest(images):
    image, truth = images
    mask = left_half()
    changed = torch.where(mask[..., None], image, torch.rand_like(image))
    assert colour_scores(changed, truth, mask, None) == colour_scores(image, truth, mask, None)
    assert colour_scores(changed, truth, None, None)["mae"] != colour_scores(image, truth, None, None)["mae"]


def test_errors_are_averaged_over_the_region_only():
    truth = torch.full((37, 29, 3), 0.5)
    mask = left_half()
    image = torch.where(mask[..., None], truth + 0.25, truth)
    within, everywhere = colour_scores(image, truth, mask, None), colour_scores(image, truth, None, None)
    assert within["mae"] == pytest.approx(0.25)
    assert within["psnr"] == pytest.approx(-20 * math.log10(0.25))
    assert everywhere["mae"] == pytest.approx(0.25 * 14 / 29, abs=1e-6)


def test_lpips_gets_images_in_its_range_white_outside_the_region(images):
    seen = []

    def distance(first, second):
        seen.append((first, second))
        return torch.tensor(0.5)

    mask = left_half()
    assert colour_scores(*images, None, distance)["lpips"] == colour_scores(*images, mask, distance)["lpips"] == 0.5
    torch.testing.assert_close(seen[0], tuple(2 * image - 1 for image in images))
    for image in seen[1]:
        assert (image[~mask] == 1).all()
    assert colour_scores(*images, mask & ~mask, distance)["lpips"] is None and len(seen) == 2


def test_without_its_network_lpips_is_undefined(images):
    assert colour_scores(*images, left_half(), None)["lpips"] is None


def test_every_score_of_colours_is_listed_with_its_label(images):
    assert set(colour_scores(*images, left_half(), None)) <= set(METRICS)
