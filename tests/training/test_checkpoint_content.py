"""What is in a checkpoint's files: of the wrong kind, or not finite, it is refused by name, and nothing is trained."""

import math

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.training.checkpoint_files import FOLDERS, INDEX, checkpoint_file
from tiny_runs import refusal, run_folder, write_config

OPTIMISED = "train.optimize_camera = True\ntrain.optimize_expression = True\n"


@pytest.fixture
def trained(root, capsys):
    """A run of two epochs, and its configuration's file."""
    conf = write_config(root, extra=OPTIMISED)
    exp_runner_main(["--conf", conf, "--nepoch", "2"])
    capsys.readouterr()
    return conf


def change(root, part: str, change) -> bytes:
    """Change the content of a part of `latest`; returns what the file was."""
    path = checkpoint_file(run_folder(root) / "train" / "checkpoints", part, "latest")
    good = path.read_bytes()
    content = torch.load(path, weights_only=True)
    torch.save(change(content), path)
    return good


def restore(root, part: str, good: bytes) -> None:
    checkpoint_file(run_folder(root) / "train" / "checkpoints", part, "latest").write_bytes(good)


def with_entry(*keys, value):
    """Sets an entry below keys; a function of the old value or a new value."""

    def changed(content):
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value(inner[keys[-1]]) if callable(value) else value
        return content

    return changed


def first_nan(tensor):
    tensor = tensor.clone()
    tensor.view(-1)[0] = math.nan
    return tensor


WEIGHT = "geometry_network.lin0.bias"
TEMPLATE = "FLAMEServer.v_template"
MODEL = "model_state_dict"
MODELS = [
    ("epoch", with_entry("epoch", value="abc")),
    ("epoch", with_entry("epoch", value=None)),
    ("epoch", with_entry("epoch", value=math.nan)),
    ("epoch", with_entry("epoch", value=[1])),
    ("epoch", with_entry("epoch", value=torch.zeros(3))),
    ("epoch", with_entry("epoch", value=True)),
    ("epoch", with_entry("epoch", value=-5)),
    ("epoch", with_entry("epoch", value=10**30)),
    ("epoch", lambda content: {MODEL: content[MODEL]}),
    (MODEL, lambda content: {"epoch": content["epoch"]}),
    (MODEL, with_entry(MODEL, value=[1, 2])),
    (MODEL, with_entry(MODEL, value=None)),
    (MODEL, with_entry(MODEL, value={3: torch.zeros(3)})),
    (WEIGHT, with_entry(MODEL, WEIGHT, value=3.0)),
    (WEIGHT, with_entry(MODEL, WEIGHT, value=first_nan)),
    (WEIGHT, with_entry(MODEL, WEIGHT, value=lambda old: old * math.inf)),
    (WEIGHT, with_entry(MODEL, WEIGHT, value=lambda old: old.to(torch.complex64))),
    (WEIGHT, with_entry(MODEL, WEIGHT, value=lambda old: old.to(torch.int64))),
    (WEIGHT, with_entry(MODEL, WEIGHT, value=lambda old: old.to_sparse())),
    (WEIGHT, with_entry(MODEL, WEIGHT, value=lambda old: torch.empty(old.shape, device="meta"))),
    (TEMPLATE, with_entry(MODEL, TEMPLATE, value=7)),
    (TEMPLATE, with_entry(MODEL, TEMPLATE, value=lambda old: old + math.inf)),
    (TEMPLATE, with_entry(MODEL, TEMPLATE, value=lambda old: old.to(torch.complex64))),
    ("expected a dict", lambda content: [content]),
]


def test_a_model_of_the_wrong_content_is_refused_in_training_and_evaluation(root, trained, capsys):
    for named, changed in MODELS:
        good = change(root, "model", changed)
        for arguments in (("--nepoch", "3", "--is_continue"), ("--is_eval", "--only_json")):
            error = refusal(capsys, "--conf", trained, *arguments)
            assert "ModelParameters/latest.pth" in error and named in error, error
        restore(root, "model", good)
    exp_runner_main(["--conf", trained, "--nepoch", "3", "--is_continue"])


def test_optimisers_and_tables_of_the_wrong_content_are_refused(root, trained, capsys):
    adam, tables = "optimizer_state_dict", "optimizer_cam_state_dict"
    table = "flame_pose_state_dict"
    for part, named, changed in (
        ("optimizer", "holds no optimiser's state", with_entry(adam, value=5)),
        ("optimizer", "state is", with_entry(adam, "state", value=[1])),
        ("optimizer", "state is", with_entry(adam, "state", 2, value=3.0)),
        ("optimizer", "param_groups", with_entry(adam, "param_groups", value="x")),
        ("optimizer", "param_groups", with_entry(adam, "param_groups", value=[{"params": "abc"}])),
        ("optimizer", "exp_avg", with_entry(adam, "state", 2, "exp_avg", value=1.0)),
        ("optimizer", "exp_avg_sq is not finite", with_entry(adam, "state", 2, "exp_avg_sq", value=first_nan)),
        ("optimizer", "step", with_entry(adam, "state", 2, "step", value="x")),
        ("optimizer", "step", with_entry(adam, "state", 2, "step", value=-1)),
        ("optimizer_inputs", "exp_avg is not finite", with_entry(tables, "state", 0, "exp_avg", value=first_nan)),
        ("optimizer_inputs", "exp_avg", with_entry(tables, "state", 0, "exp_avg", value=2)),
        ("inputs", table, with_entry(table, value=[1])),
        ("inputs", f"{table}: weight", with_entry(table, "weight", value="x")),
        ("inputs", f"{table}: weight is not finite", with_entry(table, "weight", value=first_nan)),
        ("inputs", "flame_pose has the shape", with_entry(table, "weight", value=lambda old: old[:, :3])),
    ):
        good = change(root, part, changed)
        error = refusal(capsys, "--conf", trained, "--nepoch", "3", "--is_continue")
        assert named in error and "latest.pth" in error, error
        restore(root, part, good)
    exp_runner_main(["--conf", trained, "--nepoch", "3", "--is_continue"])


def test_latest_of_two_epochs_is_refused_and_the_named_way_back_works(root, trained, capsys):
    checkpoints = run_folder(root) / "train" / "checkpoints"
    for part in ("optimizer", "inputs"):
        good = checkpoint_file(checkpoints, part, "latest").read_bytes()
        older = checkpoint_file(checkpoints, part, "1").read_bytes()
        checkpoint_file(checkpoints, part, "latest").write_bytes(older)
        error = refusal(capsys, "--conf", trained, "--nepoch", "3", "--is_continue")
        assert "several epochs" in error and "--checkpoint 2" in error
        checkpoint_file(checkpoints, part, "latest").write_bytes(good)
    checkpoint_file(checkpoints, "optimizer", "latest").write_bytes(older)
    exp_runner_main(["--conf", trained, "--nepoch", "3", "--is_continue", "--checkpoint", "2"])


def test_latent_codes_of_another_size_are_refused(root, capsys):
    conf = write_config(root, latent=32)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    capsys.readouterr()
    change(root, "inputs", with_entry("latent_codes_state_dict", "weight", value=lambda old: old[:, :5]))
    error = refusal(capsys, "--conf", conf, "--is_eval", "--only_json")
    assert "InputParameters/latest.pth: latent_codes has the shape (4, 5), expected a row of 32" in error


def test_a_run_that_version_0_1_0_or_the_authors_saved_goes_on_bit_for_bit(root, trained):
    checkpoints = run_folder(root) / "train" / "checkpoints"
    (checkpoints / INDEX).unlink()  # which they do not write; all else is theirs
    exp_runner_main(["--conf", trained, "--nepoch", "3", "--is_continue"])
    whole = write_config(root, extra=OPTIMISED + "train.methodname = whole\n")
    exp_runner_main(["--conf", whole, "--nepoch", "3"])
    other = root / "runs" / "sphere" / "whole" / "train" / "train" / "checkpoints"
    for part in FOLDERS:
        file = checkpoint_file(checkpoints, part, "3")
        assert file.read_bytes() == checkpoint_file(other, part, "3").read_bytes()
