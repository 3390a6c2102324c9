"""Every method from its configuration: it learns, is resumed as if unbroken, and is rendered."""

import json

import pytest
import torch

from imavatar import build
from imavatar.baselines.methods import METHODS
from imavatar.cli.exp_runner import exp_runner_main
from imavatar.config import load_config
from imavatar.config.schema import ModelConfig
from imavatar.head.assets import save_head
from imavatar.paths import project_dir
from imavatar.types import Camera, HeadParameters
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import losses, model_state, run_folder, write_config

BASELINES = [name for name in METHODS if name != "IMavatar"]
CONFS = project_dir() / "confs" / "baselines"


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    return tmp_path


def method(name: str) -> str:
    fields = "" if name in ("B-Morph", "Fwd-Skin") else "loss.head_fields_weight = 0.0\nloss.lbs_weight = 0.0\n"
    return f"model.method = {name}\n{fields}train.warm_start_steps = 20\n"


@pytest.mark.parametrize("name", BASELINES)
def test_a_resumed_run_equals_an_unbroken_one_and_is_rendered(root, name):
    conf = write_config(root, extra=method(name))
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    half = model_state(root, "1")
    exp_runner_main(["--conf", conf, "--nepoch", "3", "--is_continue"])
    resumed, values = model_state(root, "3"), losses(root)
    assert values[-1] < 0.9 * values[0]
    (root / "runs").rename(root / "broken")
    exp_runner_main(["--conf", conf, "--nepoch", "3"])
    whole = model_state(root, "3")
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)
    changed = {key.split(".")[0] for key in half if not torch.equal(resumed[key], half[key])}
    networks = {"geometry_network", "deformer_network", "rendering_network"}
    assert changed == networks - ({"deformer_network"} if name == "C-Net" else set())
    exp_runner_main(["--conf", conf, "--is_eval"])
    out = run_folder(root) / "eval" / "test" / "epoch_3"
    assert json.loads((out / "metrics.json").read_text())["mean"]["mask_iou"] > 0.5
    agreement = json.loads((out / "search_check.json").read_text())
    assert agreement["differing_hits"] <= 0.02 * agreement["rays"]


def test_fwd_skin_has_no_blendshapes_after_training(root):
    exp_runner_main(["--conf", write_config(root, extra=method("Fwd-Skin")), "--nepoch", "1"])
    state = model_state(root, "1")
    assert (state["deformer_network.blendshapes.weight"] == 0).all()
    assert (state["deformer_network.blendshapes.bias"] == 0).all()
    assert (state["deformer_network.skinning.weight"] != 0).any()


def test_the_methods_of_the_configurations_are_those_there_are(root):
    rule = next(field for field in ModelConfig.__dataclass_fields__.values() if field.name == "method").metadata["rule"]
    assert all(rule.holds(name) for name in METHODS) and not rule.holds("NerFACE")
    found = {load_config(path).model.method for path in CONFS.glob("*.conf")}
    assert found == {*METHODS, "FLAME-mesh"}


def test_the_networks_of_all_methods_are_of_one_size(root):
    configs = {path.stem: load_config(path) for path in CONFS.glob("*.conf")}
    reference = configs["imavatar"]
    for config in configs.values():
        assert config.model.geometry_network == reference.model.geometry_network
        assert config.model.deformer_network == reference.model.deformer_network
        assert config.model.rendering_network == reference.model.rendering_network
        assert config.dataset == reference.dataset
        assert config.train.nepoch == reference.train.nepoch
        assert config.train.learning_rates == reference.train.learning_rates


@pytest.mark.parametrize("key", ["lbs_weight", "head_fields_weight"])
def test_fields_that_a_method_has_not_cannot_be_supervised(root, key, capsys):
    none = "model.method = D-Net\nloss.lbs_weight = 0.0\nloss.head_fields_weight = 0.0\n"
    with pytest.raises(SystemExit):
        exp_runner_main(["--conf", write_config(root, extra=f"{none}loss.{key} = 0.5\n")])
    assert f"loss.{key} is 0.5, expected 0 with model.method = D-Net" in capsys.readouterr().err


def test_a_preview_shows_the_surface_of_every_frame(root):
    config = load_config(write_config(root, extra=method("C-Net")))
    torch.manual_seed(0)
    head = build.build_head_assets(config)
    flame = build.build_flame(config, head, torch.zeros(100))
    avatar = build.build_avatar(config, flame)
    with torch.no_grad():
        avatar.geometry.layers[0].weight_v[:, -86:] += torch.randn(64, 86)
        posed = [flame(HeadParameters(k * torch.ones(1, 50), torch.zeros(1, 15))) for k in (0.0, 0.05)]
    world = torch.eye(4)[None].clone()
    world[0, 2, 3] = 4.0
    camera = Camera(torch.tensor([[-96.0, 96.0, 16.0, 16.0]]), world)
    renderer = build.build_preview_renderer(config, avatar, supersample=1)
    shown = [renderer.render(camera, frame, 32, 32) for frame in (posed[0], posed[1])]
    alone = build.build_preview_renderer(config, avatar, supersample=1).render(camera, posed[1], 32, 32)
    assert not torch.equal(shown[0].depth, shown[1].depth)
    assert torch.equal(shown[1].depth, alone.depth)
