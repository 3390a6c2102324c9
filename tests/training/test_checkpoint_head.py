"""The head model in a checkpoint: written twice as the authors do, read with a check of what the avatar stands on."""

import json
import logging

import pytest
import torch

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.errors import CheckpointError
from imavatar.head.flame import Flame
from imavatar.training.checkpoint_head import check_shape, check_topology, head_entries, split_head
from oracles_ellipsoid_head import ellipsoid_head
from tiny_runs import run_folder, write_config

WHERE = "latest.pth"


def head(shape: float = 0.0) -> Flame:
    return Flame(ellipsoid_head(), torch.full((100,), shape), n_expression=50)


def test_the_head_is_written_under_both_of_the_authors_prefixes_and_split_off_again():
    flame = head()
    entries = head_entries(flame)
    names = {"eye_pose", "neck_pose", "faces_tensor", "v_template", "shapedirs", "posedirs", "J_regressor", "parents"}
    names |= {"lbs_weights"}
    assert set(entries) == {p + n for p in ("FLAMEServer.", "deformer_network.FLAMEServer.") for n in names}
    fields, found = split_head({**entries, "deformer_network.lin0.bias": torch.zeros(3)})
    assert list(fields) == ["deformer_network.lin0.bias"]
    assert set(found) == names and torch.equal(found["v_template"], flame.v_template)


def test_the_same_head_is_taken_in_silence(caplog):
    state = {name: value.clone() for name, value in head().state_dict().items()}
    check_topology(state, head(), WHERE)
    check_shape(state["v_template"], head(), WHERE)
    check_topology({}, head(), WHERE)
    assert not caplog.records


def test_another_topology_is_refused():
    state = dict(head().state_dict())
    with pytest.raises(CheckpointError, match=r"another head model .*model\.head_model"):
        check_topology({**state, "faces_tensor": state["faces_tensor"].flip(1)}, head(), WHERE)
    with pytest.raises(CheckpointError, match=rf"{len(state['v_template']) - 1} vertices"):
        check_topology({**state, "v_template": state["v_template"][1:]}, head(), WHERE)


def test_another_shape_is_a_warning_in_millimetres(caplog):
    template = head().v_template.clone()
    template[0, 2] += 0.01  # of a unit of 250 mm
    check_shape(template, head(), WHERE)
    assert f"{2.5 / len(template):.2f} mm on average, 2.50 mm at most" in caplog.text


def test_other_blendshapes_and_weights_are_named(caplog):
    state = {name: value.clone() for name, value in head().state_dict().items()}
    state["shapedirs"][0, 0, -1] += 0.5
    state["lbs_weights"] = state["lbs_weights"][:, :4]
    check_topology(state, head(), WHERE)
    assert "shapedirs (by up to 0.5)" in caplog.text and "lbs_weights" in caplog.text
    assert "posedirs" not in caplog.text


def test_fewer_expressions_than_in_the_file_are_another_size(caplog):
    other = Flame(ellipsoid_head(), torch.zeros(100), n_expression=100)
    check_topology(dict(other.state_dict()), head(), WHERE)
    assert "shapedirs" in caplog.text


def test_an_avatar_keeps_the_shape_that_it_was_trained_with(root, caplog):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    exp_runner_main(["--conf", conf, "--is_eval"])
    mesh = run_folder(root) / "eval" / "test" / "epoch_1" / "mesh.ply"
    first = mesh.read_bytes()
    for sub_dir in ("train", "test"):
        path = root / "sphere" / "sphere" / sub_dir / "flame_params.json"
        tree = json.loads(path.read_text())
        tree["shape_params"] = [0.5] * 100
        path.write_text(json.dumps(tree))
    with caplog.at_level(logging.WARNING):
        exp_runner_main(["--conf", conf, "--is_eval"])
    assert mesh.read_bytes() == first
    assert "test sequence test: the shape of the head differs" in caplog.text
