"""A training that diverges and stays finite leaves a checkpoint that shows the person, and names it."""

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.training.checkpoints import saved_epoch
from imavatar.training.soundness import Look, Watch
from tiny_runs import load_part, model_state, refusal, run_folder, write_config

# Without these two losses what the huge weights make of the rays stays finite.
FINITE = "loss.eikonal_weight = 0.0\nloss.head_fields_weight = 0.0\n"


@pytest.mark.parametrize("losses, said", [("", "is not finite"), (FINITE, "the surface has vanished in epoch 3")])
@pytest.mark.parametrize("rate", ["1.0e6", "1.0e30"])
def test_rates_that_are_far_too_large_leave_the_last_good_checkpoint_and_name_it(root, capsys, rate, losses, said):
    settings = f"train.save_every = 100\n{losses}"
    exp_runner_main(["--conf", write_config(root, extra=settings), "--nepoch", "2"])
    good = model_state(root, "latest")
    wild = write_config(root, extra=f"{settings}train.learning_rate = {rate}\n")
    error = refusal(capsys, "--conf", wild, "--nepoch", "8", "--is_continue")
    assert said in error and "`latest`, from before epoch 3, was read and is good" in error and "--is_continue" in error
    checkpoints = run_folder(root) / "train" / "checkpoints"
    found = load_part(checkpoints, "model", "latest")["model_state_dict"]
    assert all(torch.equal(value, found[key]) for key, value in good.items())
    exp_runner_main(["--conf", write_config(root, extra=settings), "--nepoch", "3", "--is_continue"])
    assert saved_epoch(checkpoints) == 3


def test_colours_that_diverge_alone_leave_the_last_good_checkpoint(root, caplog):
    conf = write_config(root, extra="train.save_every = 100\n")
    exp_runner_main(["--conf", conf, "--nepoch", "12"])
    good = model_state(root, "latest")
    wild = write_config(root, extra="train.save_every = 100\ntrain.learning_rates.texture = 1.0e4\n")
    exp_runner_main(["--conf", wild, "--nepoch", "15", "--is_continue"])
    assert "made the avatar much worse" in caplog.text and "--checkpoint 12" in caplog.text
    assert all(torch.equal(value, good[key]) for key, value in model_state(root, "12").items())


def test_of_a_run_that_never_hit_anything_no_checkpoint_is_said_to_be_good(root, capsys):
    extra = "model.geometry_network.bias = 0.001\nmodel.geometry_network.multires = 0\n"
    error = refusal(capsys, "--conf", write_config(root, extra=extra), "--nepoch", "1")
    assert "no ray has hit" in error and "no checkpoint of this training is known to be good" in error


class Looks:
    """A watch whose looks are given."""

    def __init__(self):
        self.watch = Watch.__new__(Watch)
        self.watch._overlap, self.watch._colour = 0.0, float("inf")

    def __call__(self, *look) -> bool:
        return self.watch.is_sound(Look(*look))


def test_a_look_is_sound_where_it_is_not_much_worse_than_the_best_before():
    sound = Looks()
    assert sound(10, 0.3, 0.6)
    assert sound(10, 0.8, 0.1)
    assert sound(10, 0.41, 0.1) and not sound(10, 0.39, 0.1)
    assert sound(10, 0.8, 0.39) and not sound(10, 0.8, 0.41)
    assert not sound(0, 0.0, float("inf")) and not sound(10, 0.8, float("nan"))
    assert sound(10, 0.8, 0.1)


def test_nothing_that_is_looked_at_changes_what_is_trained(root, monkeypatch):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "3"])
    first = model_state(root, "3")
    monkeypatch.setattr(Watch, "look", lambda self: Look(1, 1.0, 0.0))
    exp_runner_main(["--conf", write_config(root, extra="train.methodname = blind\n"), "--nepoch", "3"])
    folder = root / "runs" / "sphere" / "blind" / "train" / "train" / "checkpoints"
    blind = load_part(folder, "model", "3")["model_state_dict"]
    assert all(torch.equal(value, blind[name]) for name, value in first.items())
