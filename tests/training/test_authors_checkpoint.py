"""Training from a checkpoint of the authors' implementation on data in their layout, and back into their format."""

import os
from pathlib import Path

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from tiny_runs import load_part

SHARED = Path(os.environ.get("IMAVATAR_SHARED", Path(__file__).parents[2].parent / "shared"))
PARITY = SHARED / "data" / "parity"
CHECKPOINT = PARITY / "reference_checkpoint.pth"
CONF = Path(__file__).parents[2] / "confs" / "IMavatar_supervised.conf"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHECKPOINT.is_file(), reason=f"the shared parity data is not at {PARITY}"),
]

SETTINGS = """
include "{conf}"
train {{ exps_folder = "{root}/runs", num_pixels = 128 }}
dataset {{ data_folder = "{parity}/dataset", train.sub_dir = [MVI_1810]
          test {{ sub_dir = [MVI_1812], subsample = 1 }} }}
model {{ head_model = "{parity}/head_model.npz", ray_tracer.proxy_resolution = 32 }}
"""


def test_twenty_four_steps_from_the_authors_weights_and_back(tmp_path):
    conf = tmp_path / "own.conf"
    conf.write_text(SETTINGS.format(conf=CONF, root=tmp_path, parity=PARITY))
    models = tmp_path / "theirs" / "checkpoints" / "ModelParameters"
    models.mkdir(parents=True)
    (models / "latest.pth").symlink_to(CHECKPOINT)
    begin = ["--conf", str(conf), "--is_continue"]
    exp_runner_main([*begin, "--load_path", str(tmp_path / "theirs"), "--nepoch", "2"])
    exp_runner_main([*begin, "--nepoch", "3"])

    run = tmp_path / "runs" / "subject1" / "IMavatar" / "MVI_1810" / "train"
    lines = (run / "train.csv").read_text().splitlines()
    column = lines[0].split(",").index("loss")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    assert len(losses) == 3 and losses[-1] < losses[0]

    theirs = torch.load(CHECKPOINT, weights_only=True)["model_state_dict"]
    written = load_part(run / "checkpoints", "model", "latest")["model_state_dict"]
    assert {name: value.shape for name, value in written.items()} == {n: v.shape for n, v in theirs.items()}
    assert all(written[n].dtype == v.dtype for n, v in theirs.items())
    assert all(written[n].equal(v) for n, v in theirs.items() if "parents" in n or "faces" in n)
    assert not written["rendering_network.lin0.weight_v"].equal(theirs["rendering_network.lin0.weight_v"])
    optimiser = load_part(run / "checkpoints", "optimizer", "latest")["optimizer_state_dict"]
    n_fields = sum("FLAMEServer" not in name for name in theirs)
    assert optimiser["param_groups"][0]["params"] == list(range(n_fields + 2))
    assert optimiser["state"][2]["step"] == 24
