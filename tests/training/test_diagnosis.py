"""What is said of a run that goes wrong: counts against counting by hand, causes against causes put in."""

import csv
import json
import math

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.errors import TrainingError
from imavatar.numerics.implicit import implicit_root
from imavatar.training.diagnostics import EpochDiagnostics, gradients_finite, health_line
from imavatar.training.head_in_view import out_of_sight
from imavatar.types import Camera, RootStatistics, SurfaceHits
from tiny_runs import load_part, run_folder, write_config


def step(hit, converged, foreground, residual=(), singular=()):
    """What `EpochDiagnostics` reads of a step."""
    n, converged = len(hit), torch.tensor(converged)
    hits = SurfaceHits(torch.ones(n), torch.tensor(hit), torch.zeros(n, 3), torch.zeros(n), converged)
    quality = RootStatistics(torch.tensor(residual), torch.tensor(singular, dtype=torch.bool))
    return hits, torch.tensor(foreground), quality


def test_shares_are_of_all_rays_of_the_epoch():
    health = EpochDiagnostics()
    health.add(*step([True, False], [True, True], [True, True], [0.1, 0.2], [False, True]))
    health.add(*step([True] * 4 + [False] * 2, [False] * 6, [True, False] * 3, [0.3], [True]))
    found = health.scalars()
    assert found["hit"] == 5 / 8 and found["converged"] == 2 / 8
    assert found["hit_foreground"] == 3 / 5
    assert found["singular"] == 2
    assert found["residual_median"] == pytest.approx(0.2) and found["residual_99"] == pytest.approx(0.3)
    assert "62.5%" in health_line(found) and "singular 2" in health_line(found)


def test_an_epoch_without_a_hit_ends_the_run_with_advice():
    health = EpochDiagnostics()
    health.add(*step([False] * 3, [True] * 3, [True] * 3))
    with pytest.raises(TrainingError, match=r"no ray has hit.*check_data\.py.*world_mat"):
        health.scalars()


def test_points_without_a_gradient_are_told_from_the_others():
    parameter = torch.tensor([1.0, 0.0, 2.0], requires_grad=True)
    root = implicit_root(lambda x: parameter[:, None] * x - 1, torch.ones(3, 3))
    assert root.regular.tolist() == [True, False, True]
    torch.testing.assert_close(root.residual, math.sqrt(3) * torch.tensor([0.0, 1.0, 1.0]))
    assert not root.residual.requires_grad


def test_a_head_is_behind_the_camera_or_beside_the_image_or_seen():
    camera = Camera(torch.tensor([[-100.0, 100.0, 32.0, 32.0]]).repeat(4, 1), torch.eye(4).repeat(4, 1, 1))
    ball = torch.nn.functional.normalize(torch.randn(200, 3), dim=-1)
    centres = torch.tensor([[0.0, 0.0, -8.0], [0.0, 0.0, 8.0], [9.0, 0.0, -8.0], [2.5, 0.0, -8.0]])
    behind, outside = out_of_sight(camera, ball + centres[:, None], 64, 64)
    assert behind.tolist() == [False, True, False, False]
    assert outside.tolist() == [False, False, True, False]


def turn_cameras(root, n: int) -> None:
    """Let the first n frames look the other way."""
    path = root / "sphere" / "sphere" / "train" / "flame_params.json"
    tree = json.loads(path.read_text())
    for frame in tree["frames"][:n]:
        frame["world_mat"] = [[-x for x in row] if i != 1 else row for i, row in enumerate(frame["world_mat"])]
    path.write_text(json.dumps(tree))


def refusal(capsys, arguments: list[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        exp_runner_main(arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("error: ") and error.count("\n") == 1
    return error


def test_cameras_that_look_away_are_found_before_training(root, capsys, caplog):
    turn_cameras(root, 1)
    exp_runner_main(["--conf", write_config(root), "--nepoch", "1"])
    assert "in 1 of 4 frames: behind the camera in train/1" in caplog.text
    turn_cameras(root, 3)  # the first one back
    error = refusal(capsys, ["--conf", write_config(root, extra="train.methodname = other\n")])
    assert "in 2 of 4 frames: behind the camera in train/2, train/3" in error and "world_mat" in error


def test_a_weight_that_is_lost_is_named(root, capsys):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    for part, key, name in (
        ("model", "model_state_dict", "deformer_network.lin0.bias"),
        ("inputs", "flame_pose_state_dict", "weight"),
    ):
        folder = run_folder(root) / "train" / "checkpoints"
        content = load_part(folder, part, "latest")
        path = folder / {"model": "ModelParameters", "inputs": "InputParameters"}[part] / "latest.pth"
        good = path.read_bytes()
        content[key][name].view(-1)[0] = math.nan
        torch.save(content, path)
        error = refusal(capsys, ["--conf", conf, "--nepoch", "2", "--is_continue"])
        assert name in error and "--is_continue" in error
        path.write_bytes(good)


@pytest.mark.parametrize("frames", ["", "train.optimize_expression = True\ntrain.learning_rate_cam = 1.0e30\n"])
def test_a_run_that_diverges_says_what_was_first_and_leaves_its_last_good_checkpoint(root, capsys, frames):
    extra = frames or "train.learning_rate = 1.0e30\n"
    error = refusal(capsys, ["--conf", write_config(root, extra=extra)])
    # The weights are huge but finite; what is made of them is not. Huge tables move the head out of every picture.
    assert "First: " in error or "the surface has vanished" in error
    assert "`latest`, from before epoch 1, was read and is good" in error and "--checkpoint N" in error
    folder = run_folder(root) / "train" / "checkpoints"
    state = load_part(folder, "model", "latest")["model_state_dict"]
    assert all(bool(torch.isfinite(value).all()) for value in state.values())


def test_gradients_of_tables_are_looked_at_too():
    table = torch.nn.Embedding(5, 3, sparse=True)
    (table(torch.tensor([2])) * torch.tensor([1.0, math.inf, 1.0])).sum().backward()
    assert not gradients_finite(list(table.parameters()))
    table.zero_grad()
    table(torch.tensor([2])).sum().backward()
    assert gradients_finite(list(table.parameters()))


@pytest.mark.parametrize("search", ["proxy", "paper"])
def test_the_log_holds_the_diagnosis(root, search, caplog):
    exp_runner_main(["--conf", write_config(root, search=search), "--nepoch", "2"])
    with (run_folder(root) / "train" / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert 0.3 < float(row["hit_foreground"]) <= 1 and 0 < float(row["hit"]) < 1
        assert 0 <= float(row["residual_median"]) <= float(row["residual_90"]) <= float(row["residual_99"]) < 0.1
        assert float(row["singular"]) == 0
    assert ("proxy_rebuilt" in rows[0]) == (search == "proxy")
    if search == "proxy":
        assert all(float(row["proxy_rebuilt"]) >= 1 and float(row["proxy_most_calls"]) >= 1 for row in rows)
