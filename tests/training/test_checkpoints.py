"""Checkpoint files: round trip, and what is said of those that do not fit."""

import pytest
import torch

from imavatar.errors import CheckpointError
from imavatar.training.checkpoint_files import checkpoint_file, save_checkpoint
from imavatar.training.checkpoints import load_model, saved_epoch
from tiny_runs import load_part


def parts(epoch: int = 3) -> dict:
    layer = torch.nn.Linear(2, 3)
    return {
        "model": {"epoch": epoch, "model_state_dict": layer.state_dict()},
        "optimizer": {"epoch": epoch, "optimizer_state_dict": {}},
        "scheduler": {"epoch": epoch, "scheduler_state_dict": {}},
        "optimizer_inputs": {"epoch": epoch, "optimizer_cam_state_dict": None},
        "inputs": {"epoch": epoch},
    }


def test_the_five_files_stand_in_the_authors_folders(tmp_path):
    save_checkpoint(tmp_path, ["latest", "3"], parts())
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.pth"))
    folders = ("InputParameters", "ModelParameters", "OptimizerInputs", "OptimizerParameters", "SchedulerParameters")
    assert found == [f"{folder}/{name}.pth" for folder in folders for name in ("3", "latest")]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_model_is_read_back_bit_for_bit(tmp_path):
    content = parts()
    save_checkpoint(tmp_path, ["latest"], content)
    layer = torch.nn.Linear(2, 3)
    load_model(layer, load_part(tmp_path, "model", "latest")["model_state_dict"], tmp_path)
    assert layer.weight.equal(content["model"]["model_state_dict"]["weight"])
    assert saved_epoch(tmp_path) == 3


def test_a_missing_checkpoint_lists_those_that_exist(tmp_path):
    assert saved_epoch(tmp_path) is None
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_part(tmp_path, "model", "latest")
    save_checkpoint(tmp_path, ["latest", "3"], parts())
    with pytest.raises(CheckpointError, match="there are: 3, latest"):
        load_part(tmp_path, "model", "7")


@pytest.mark.parametrize("name", ["", "..", "../latest", "/etc/passwd", "a\nb", "\udc80"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    for read in (lambda: load_part(tmp_path, "model", name), lambda: saved_epoch(tmp_path, name)):
        with pytest.raises(CheckpointError, match=r"--checkpoint .*expected latest or the number"):
            read()


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_damaged_file_is_named(tmp_path, content):
    save_checkpoint(tmp_path, ["latest"], parts())
    path = checkpoint_file(tmp_path, "model", "latest")
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    with pytest.raises(CheckpointError, match=r"latest\.pth cannot be read"):
        load_part(tmp_path, "model", "latest")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return (print, ("run",))

    save_checkpoint(tmp_path, ["latest"], parts())
    torch.save({"epoch": Payload()}, checkpoint_file(tmp_path, "model", "latest"))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_part(tmp_path, "model", "latest")


def test_what_does_not_fit_is_listed(tmp_path):
    state = {"weight": torch.zeros(3, 4), "other": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"missing bias.*unexpected other.*weight is \(3, 4\), expected \(3, 2\)"):
        load_model(torch.nn.Linear(2, 3), state, tmp_path)
