"""Runs of a few seconds on the rendered sphere: their configuration, and what they leave behind."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.config import load_config
from imavatar.head.flame import Flame
from imavatar.rendering.character import Character
from imavatar.training.checkpoints import read_checkpoint
from imavatar.training.run_folder import RunFolder
from imavatar.workflows.trained import TrainedAvatar
from oracles_ellipsoid_head import ellipsoid_head

CONFIG = """
train {{ exps_folder = "{root}/runs", methodname = tiny, nepoch = 4, num_pixels = 96, learning_rate = 1.0e-3
         optimize_camera = False, warm_start_steps = 0, save_every = 1 }}
plot {{ mesh_resolution = 24, supersample = 1 }}
loss {{ flame_distance_weight = 0.0, gt_w_seg = {semantics}, eikonal_weight = 0.1, head_fields_weight = 0.1 }}
dataset {{ data_folder = "{root}", subject_name = sphere
          train {{ sub_dir = [train], img_res = [32, 32] }}, test {{ sub_dir = [test], img_res = [32, 32] }} }}
model {{ feature_vector_size = 8, head_model = "{root}/head.npz"
        geometry_network {{ dims = [64, 64, 64], skip_in = [2], multires = 2, condition_in = {latent} }}
        rendering_network {{ dims = [32, 32], multires_pnts = 2 }}
        ray_tracer {{ search = {search}, n_steps = 12, n_secant_steps = 4, proxy_resolution = 24 }}
        deformer_network {{ dims = [16, 16], ghostbone = {ghost} }} }}
"""


def write_config(root: Path, *, search="proxy", semantics=True, ghost=True, latent=0, extra="") -> str:
    text = CONFIG.format(root=root, search=search, semantics=semantics, ghost=ghost, latent=latent)
    path = root / "tiny.conf"
    path.write_text(text + extra)
    return str(path)


def untrained(root: Path, **head: object) -> TrainedAvatar:
    """A trained avatar without networks: what motions and exports ask about a run.

    Args:
        head: fields of the head model's file instead of the ellipsoid head's.
    """
    assets = replace(ellipsoid_head(), **head)
    character = Character(torch.nn.Identity(), Flame(assets, torch.zeros(100)), torch.zeros(1, 0))
    return TrainedAvatar(load_config(write_config(root)), RunFolder(root), root, "latest", assets, character, 1)


def run_folder(root: Path) -> Path:
    return root / "runs" / "sphere" / "tiny" / "train"


def losses(root: Path) -> list[float]:
    lines = (run_folder(root) / "train" / "train.csv").read_text().splitlines()
    column = lines[0].split(",").index("loss")
    return [float(line.split(",")[column]) for line in lines[1:]]


def load_part(folder: Path, part: str, name: str) -> dict[str, Any]:
    """The content of one part of a checkpoint."""
    return read_checkpoint(folder, name, [part])[part].content


def model_state(root: Path, name: str) -> dict:
    return load_part(run_folder(root) / "train" / "checkpoints", "model", name)["model_state_dict"]


def refusal(capsys, *arguments: str) -> str:
    """What exp_runner.py says, in one line, of what it refuses to do."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        exp_runner_main(list(arguments))
    error = capsys.readouterr().err
    assert stop.value.code == 2, error
    assert error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error
    return error
