"""Whole runs on a rendered sphere: learning, resuming, evaluating, and what the runner refuses."""

import json

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.head.assets import save_head
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import load_part, losses, model_state, run_folder, write_config


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"search": "paper"},
        {"semantics": False},
        {"ghost": False},
        {"search": "paper", "latent": 32},
        {"latent": 32, "extra": "train.optimize_latent_code = True\n"},
        {"extra": "train.batch_size = 4\ntrain.learning_rate = 3.0e-3\n"},
        {"extra": "dataset.train.img_res = [24, 36]\n"},
        {"extra": "train.optimize_camera = True\ntrain.optimize_expression = True\n"},
        {"extra": "loss.flame_distance_weight = 100.0\ntrain.GT_lbs_milestones = [4]\ntrain.alpha_milestones = [4]\n"},
    ],
)
def test_the_loss_falls(root, options):
    exp_runner_main(["--conf", write_config(root, **options), "--nepoch", "8"])
    values = losses(root)
    assert len(values) == 8
    assert values[-1] < 0.8 * values[0]


def test_a_file_of_100_expressions_trains_with_all_of_them_or_the_first_50(root):
    for sub_dir in ("train", "test"):
        path = root / "sphere" / "sphere" / sub_dir / "flame_params.json"
        tree = json.loads(path.read_text())
        for frame in tree["frames"]:
            frame["expression"] = [0.0] * 100
        path.write_text(json.dumps(tree))
    all_of_them = "model.deformer_network.num_exp = 100\nmodel.rendering_network.condition_in = 103\n"
    for extra, n in (("", 50), (all_of_them + "train.methodname = all\n", 100)):
        exp_runner_main(["--conf", write_config(root, extra=extra), "--nepoch", "1"])
        name = "all" if extra else "tiny"
        folder = root / "runs" / "sphere" / name / "train" / "train" / "checkpoints"
        state = load_part(folder, "model", "1")["model_state_dict"]
        assert len(state["deformer_network.blendshapes.weight"]) == 108 + 3 * n
        assert state["FLAMEServer.shapedirs"].shape[-1] == 100 + n


def test_paths_may_contain_the_words_image_and_mask(tmp_path, monkeypatch):
    root = tmp_path / "image" / "mask image"
    root.mkdir(parents=True)
    write_subject(root)
    save_head(root / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    exp_runner_main(["--conf", write_config(root), "--nepoch", "1"])
    assert len(losses(root)) == 1


def test_several_recordings_train_together(root):
    extra = "dataset.train.sub_dir = [train, test]\ndataset.train.subsample = [1, 6]\n"
    exp_runner_main(["--conf", write_config(root, extra=extra), "--nepoch", "1"])
    folder = root / "runs" / "sphere" / "tiny" / "train+test" / "train" / "checkpoints"
    assert load_part(folder, "inputs", "1")["flame_pose_state_dict"]["weight"].shape == (5, 15)


def test_noise_on_what_colours_depend_on_changes_the_run_and_is_the_same_every_time(root):
    states = []
    for name, noise in (("without", 0.0), ("once", 2.0), ("again", 2.0)):
        extra = f"train.methodname = {name}\ntrain.condition_noise = {noise}\ntrain.gradient_limit = 3.0\n"
        exp_runner_main(["--conf", write_config(root, extra=extra), "--nepoch", "1"])
        checkpoints = root / "runs" / "sphere" / name / "train" / "train" / "checkpoints"
        states.append(load_part(checkpoints, "model", "1")["model_state_dict"])
    without, once, again = (state["rendering_network.lin0.weight_v"] for state in states)
    assert torch.equal(once, again)
    assert not torch.equal(once, without)


def test_a_resumed_run_equals_an_unbroken_one(root):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "2"])
    half = model_state(root, "2")
    exp_runner_main(["--conf", conf, "--nepoch", "4", "--is_continue"])
    resumed = model_state(root, "4")
    unbroken = write_config(root, extra="train.methodname = whole\n")
    exp_runner_main(["--conf", unbroken, "--nepoch", "4"])
    checkpoints = root / "runs" / "sphere" / "whole" / "train" / "train" / "checkpoints"
    whole = load_part(checkpoints, "model", "4")["model_state_dict"]
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert any(not torch.equal(resumed[name], half[name]) for name in half)


def test_a_finished_run_goes_on_from_an_earlier_checkpoint(root):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "4"])
    first = model_state(root, "4")
    checkpoint = run_folder(root) / "train" / "checkpoints" / "ModelParameters" / "4.pth"
    checkpoint.unlink()
    exp_runner_main(["--conf", conf, "--nepoch", "4", "--is_continue", "--checkpoint", "2"])
    assert all(torch.equal(value, first[name]) for name, value in model_state(root, "4").items())


def test_evaluation_writes_images_metrics_and_a_mesh(root, capsys):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    exp_runner_main(["--conf", conf, "--is_eval"])
    out = run_folder(root) / "eval" / "test" / "epoch_1"
    metrics = json.loads((out / "metrics.json").read_text())
    assert 0 < metrics["mean"]["psnr"] < 100
    assert metrics["mean"]["lpips"] is None and metrics["mean"]["keypoint_error"] is None
    assert {path.name for path in (out / "rgb").iterdir()} == {"1.png", "2.png", "3.png", "4.png"}
    assert all((out / name).exists() for name in ("mesh.ply", "comparison.mp4", "per_frame.csv"))
    agreement = json.loads((out / "search_check.json").read_text())
    assert agreement["differing_hits"] <= 0.02 * agreement["rays"]
    assert "PSNR" in capsys.readouterr().out
    report = (run_folder(root) / "report.html").read_text()
    assert ">loss</text>" in report and "Test sequence test" in report and "nepoch = " in report
    assert str(root) not in report.split("<h2>Configuration")[0]


def test_a_finished_run_is_not_trained_again_and_another_one_not_overwritten(root, capsys):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    before = (run_folder(root) / "train" / "checkpoints" / "ModelParameters" / "latest.pth").read_bytes()
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    with pytest.raises(SystemExit) as stop:
        exp_runner_main(["--conf", conf, "--nepoch", "2"])
    assert stop.value.code == 2
    assert "--is_continue" in capsys.readouterr().err
    assert (run_folder(root) / "train" / "checkpoints" / "ModelParameters" / "latest.pth").read_bytes() == before


def test_a_run_can_start_from_the_head_in_what_its_masks_show(root):
    states = []
    for name, n_frames in (("bare", 0), ("dressed", 3)):
        extra = f"train.methodname = {name}\ntrain.warm_start_steps = 20\ntrain.warm_start_frames = {n_frames}\n"
        exp_runner_main(["--conf", write_config(root, extra=extra), "--nepoch", "1"])
        checkpoints = root / "runs" / "sphere" / name / "train" / "train" / "checkpoints"
        states.append(load_part(checkpoints, "model", "0")["model_state_dict"])
    key = "geometry_network.lin0.bias"
    assert not torch.equal(states[0][key], states[1][key])


def refusal(capsys, arguments: list[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        exp_runner_main(arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error
    return error


def test_a_misspelt_key_is_named(root, capsys):
    assert "num_pixel" in refusal(capsys, ["--conf", write_config(root, extra="train.num_pixel = 3\n")])


def test_a_wrong_type_is_named(root, capsys):
    assert "train.num_pixels" in refusal(capsys, ["--conf", write_config(root, extra="train.num_pixels = many\n")])


def test_a_configuration_that_is_not_there_is_named(root, capsys):
    assert "nowhere.conf" in refusal(capsys, ["--conf", str(root / "nowhere.conf")])


def test_a_missing_mask_is_named(root, capsys):
    (root / "sphere" / "sphere" / "train" / "mask" / "3.png").unlink()
    error = refusal(capsys, ["--conf", write_config(root)])
    assert "mask" in error and "3" in error


def test_49_expression_values_are_refused(root, capsys):
    path = root / "sphere" / "sphere" / "train" / "flame_params.json"
    tree = json.loads(path.read_text())
    tree["frames"][1]["expression"] = tree["frames"][1]["expression"][:49]
    path.write_text(json.dumps(tree))
    assert "49" in refusal(capsys, ["--conf", write_config(root)])


def test_a_json_cut_in_half_is_named(root, capsys):
    path = root / "sphere" / "sphere" / "train" / "flame_params.json"
    path.write_text(path.read_text()[: len(path.read_text()) // 2])
    assert "flame_params.json" in refusal(capsys, ["--conf", write_config(root)])


def test_a_checkpoint_of_other_networks_is_explained(root, capsys):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    other = write_config(root, extra="model.deformer_network.dims = [24, 24]\n")
    capsys.readouterr()
    assert "deformer_network" in refusal(capsys, ["--conf", other, "--is_eval"])


def test_a_damaged_checkpoint_is_named(root, capsys):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    path = run_folder(root) / "train" / "checkpoints" / "ModelParameters" / "latest.pth"
    path.write_bytes(path.read_bytes()[:100])
    capsys.readouterr()
    assert "latest.pth" in refusal(capsys, ["--conf", conf, "--is_eval"])


def test_without_semantics_the_warm_start_is_the_bare_head(root, caplog):
    extra = "train.warm_start_steps = 2\ntrain.warm_start_frames = 2\n"
    exp_runner_main(["--conf", write_config(root, semantics=False, extra=extra), "--nepoch", "1"])
    assert "gt_w_seg" in caplog.text and "bare head" in caplog.text


def test_a_run_goes_on_from_a_model_alone(root, caplog):
    exp_runner_main(["--conf", write_config(root), "--nepoch", "2"])
    source = root / "theirs"
    (source / "checkpoints" / "ModelParameters").mkdir(parents=True)
    state = {"epoch": 2, "model_state_dict": model_state(root, "2")}
    torch.save(state, source / "checkpoints" / "ModelParameters" / "latest.pth")
    conf = write_config(root, extra="train.methodname = other\n")
    exp_runner_main(["--conf", conf, "--nepoch", "3", "--is_continue", "--load_path", str(source)])
    assert caplog.text.count("starts anew") == 3
    folder = root / "runs" / "sphere" / "other" / "train" / "train" / "checkpoints"
    first = load_part(folder, "model", "2")["model_state_dict"]
    assert all(torch.equal(value, state["model_state_dict"][name]) for name, value in first.items())
    assert load_part(folder, "model", "3")["epoch"] == 3


def test_parameters_of_other_frames_start_anew_from_a_foreign_run_and_stop_a_resumed_one(root, capsys, caplog):
    optimised = "train.optimize_camera = True\n"
    exp_runner_main(["--conf", write_config(root, extra=optimised), "--nepoch", "1"])
    fewer = optimised + "dataset.train.subsample = 2\n"
    capsys.readouterr()
    error = refusal(capsys, ["--conf", write_config(root, extra=fewer), "--nepoch", "2", "--is_continue"])
    assert "flame_pose has the shape (4, 15), expected (2, 15)" in error or "(4, 50)" in error
    source = str(run_folder(root) / "train")
    conf = write_config(root, extra=fewer + "train.methodname = other\n")
    exp_runner_main(["--conf", conf, "--nepoch", "2", "--is_continue", "--load_path", source])
    assert caplog.text.count("starts anew") == 2


def test_optimised_parameters_are_evaluated_on_the_frames_that_they_are_of(root, capsys):
    conf = write_config(root, extra="train.optimize_camera = True\ntrain.learning_rate_cam = 1.0e-2\n")
    exp_runner_main(["--conf", conf, "--nepoch", "2"])
    exp_runner_main(["--conf", conf, "--is_eval", "--optimised"])
    out = run_folder(root) / "eval" / "train_optimised" / "epoch_2"
    first = json.loads((out / "metrics.json").read_text())["mean"]["psnr"]
    path = run_folder(root) / "train" / "checkpoints" / "InputParameters" / "latest.pth"
    inputs = torch.load(path)
    inputs["camera_pose_state_dict"]["weight"][:, 0] += 0.2
    torch.save(inputs, path)
    exp_runner_main(["--conf", conf, "--is_eval", "--optimised"])
    assert json.loads((out / "metrics.json").read_text())["mean"]["psnr"] < first - 0.5
    capsys.readouterr()
    assert "train.optimize_" in refusal(capsys, ["--conf", write_config(root), "--is_eval", "--optimised"])
