"""Several processes against one: the same gradients, the same run, checkpoints that either reads."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import imavatar
from imavatar.cli import exp_runner_main
from imavatar.training.distributed import Processes
from one_step import gradients_of_a_step
from tiny_runs import losses, model_state, run_folder, write_config

ONE_STEP = Path(__file__).parents[1] / "one_step.py"
EXP_RUNNER = Path(imavatar.__file__).parents[2] / "scripts" / "exp_runner.py"
EVERYTHING = (
    "train.optimize_expression = True\ntrain.optimize_camera = True\ntrain.optimize_latent_code = True\n"
    "loss.flame_distance_weight = 1000.0\nloss.head_distance_weight = 1.0\nloss.mouth_interior_weight = 0.1\n"
)


def start(n: int, script: Path, *arguments: str) -> None:
    """Run a script in n processes of one thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(n), "--master-port", str(port)]
    done = subprocess.run([*launch, str(script), *arguments], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("frames", ["1", "0,3"])
def test_two_processes_have_the_gradients_of_one(root, tmp_path, frames):
    conf = write_config(root, search="paper", latent=32, extra=EVERYTHING)
    expected = gradients_of_a_step(conf, [int(frame) for frame in frames.split(",")])
    start(2, ONE_STEP, conf, frames, str(tmp_path / "found.pt"))
    found = torch.load(tmp_path / "found.pt")
    assert set(found) == set(expected)
    assert {"expression.weight", "flame_pose.weight", "camera_pose.weight", "latent_codes.weight"} <= set(found)
    for name, gradient in expected.items():
        difference = (found[name] - gradient).norm()
        assert difference <= 1e-6 * gradient.norm(), f"{name}: {difference / gradient.norm():.1e}"


def test_a_run_goes_on_in_another_number_of_processes(root):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "2"])
    alone, weights = losses(root), model_state(root, "latest")
    (root / "runs").rename(root / "alone")
    start(2, EXP_RUNNER, "--conf", conf, "--nepoch", "1")
    exp_runner_main(["--conf", conf, "--nepoch", "2", "--is_continue"])
    assert losses(root) == pytest.approx(alone, rel=1e-3)
    for name, value in model_state(root, "latest").items():
        torch.testing.assert_close(value, weights[name], rtol=1e-2, atol=1e-3)
    start(2, EXP_RUNNER, "--conf", conf, "--nepoch", "3", "--is_continue")
    assert len(losses(root)) == 3 and losses(root)[2] < losses(root)[0]
    assert (run_folder(root) / "train" / "checkpoints" / "ModelParameters" / "3.pth").exists()


def test_rays_are_shared_out_without_a_rest():
    for n_frames, n in ((1, 2), (3, 2), (4, 2)):
        frames = torch.arange(n_frames).repeat_interleave(5)
        parts = [Processes(rank, n).rows_of(n_frames, frames) for rank in range(n)]
        assert torch.cat(parts).sort().values.tolist() == list(range(len(frames)))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1 or n_frames % n == 0
        if n_frames % n == 0:
            assert all(len(frames[part].unique()) == n_frames // n for part in parts)
