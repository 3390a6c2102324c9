"""The head with averaged colours: what was painted on it is found again from its pictures."""

import json

import pytest
import torch

from imavatar.baselines.textured_head import TexturedHead, TexturedHeadRenderer, _seen_colours
from imavatar.cli.exp_runner import exp_runner_main
from imavatar.data.dataset import Frame
from imavatar.errors import ImavatarError
from imavatar.head.assets import save_head
from imavatar.head.flame import Flame
from imavatar.numerics.mesh_bvh import MeshBVH
from imavatar.types import Camera, HeadParameters
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import model_state, run_folder, write_config

SIZE = 128


def camera(k: int) -> Camera:
    world = torch.eye(4)[None].clone()
    world[0, :3, 3] = torch.tensor([0.3 * k, 0.0, 4.0])
    return Camera(torch.tensor([[-3.0 * SIZE, 3.0 * SIZE, SIZE / 2, SIZE / 2]]), world)


def head(k: int) -> HeadParameters:
    pose = torch.zeros(1, 15)
    pose[0, 6], pose[0, 4] = 0.1 * abs(k), 0.1 * k
    expression = torch.zeros(1, 50)
    expression[0, :3] = torch.tensor([k, -k, 0.5 * k])
    return HeadParameters(expression, pose)


@pytest.fixture
def flame() -> Flame:
    return Flame(ellipsoid_head(), torch.zeros(100))


def painted(flame: Flame) -> TexturedHead:
    truth = TexturedHead(flame)
    rest = truth.vertices(flame(HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15))))
    truth.colours.copy_(torch.sin(5 * rest))
    return truth


def frame(truth: TexturedHead, flame: Flame, k: int) -> Frame:
    image = TexturedHeadRenderer(truth, supersample=3).render(camera(k), flame(head(k)), SIZE, SIZE)
    nothing = torch.zeros(4), torch.zeros(68, 2)
    return Frame(str(k), "train", image.rgb, image.alpha > 0.99, None, camera(k), head(k), *nothing)


def test_colours_are_those_of_the_frames_and_new_views_look_right(flame):
    truth, found = painted(flame), TexturedHead(flame)
    found.paint(frame(truth, flame, k) for k in (-2, -1, 0, 1, 2))
    expected = TexturedHeadRenderer(truth).render(camera(1.5), flame(head(1.5)), SIZE, SIZE)
    image = TexturedHeadRenderer(found).render(camera(1.5), flame(head(1.5)), SIZE, SIZE)
    assert expected.alpha.mean() > 0.2
    torch.testing.assert_close(image.normal, expected.normal)
    torch.testing.assert_close(image.depth, expected.depth)
    inside = expected.alpha == 1
    assert (image.rgb - expected.rgb)[inside].abs().mean() < 0.02


def test_a_vertex_behind_another_part_takes_none_of_its_colour():
    square = torch.tensor([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])
    corners = torch.tensor([[0, 1, 2], [0, 2, 3]])
    before, behind = 0.3 * square, 0.2 * square - torch.tensor([0.0, 0.0, 0.1])
    beside = 0.1 * square + torch.tensor([0.5, 0.0, -0.1])
    vertices = torch.cat([before, behind, beside])
    faces = torch.cat([corners, corners + 4, corners + 8])
    nothing = torch.zeros(4), torch.zeros(68, 2)
    image, mask = torch.full((SIZE, SIZE, 3), 0.5), torch.ones(SIZE, SIZE, dtype=torch.bool)
    shown = Frame("1", "train", image, mask, None, camera(0), head(0), *nothing)
    found = _seen_colours(shown, vertices, faces, MeshBVH(vertices, faces))
    assert (found[:4, 3] > 0.9).all() and (found[8:, 3] > 0.9).all()
    assert (found[4:8] == 0).all()
    torch.testing.assert_close(found[:4, :3] / found[:4, 3:], torch.full((4, 3), 0.5))


def test_frames_that_do_not_show_the_head_are_an_error(flame):
    shown = frame(painted(flame), flame, 0)
    hidden = Frame(**{**vars(shown), "foreground": torch.zeros_like(shown.foreground)})
    with pytest.raises(ImavatarError, match="no training frame shows the head"):
        TexturedHead(flame).paint([hidden])


def test_a_run_paints_once_and_is_evaluated(tmp_path, monkeypatch, caplog):
    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    conf = write_config(tmp_path, extra="model.method = FLAME-mesh\n")
    exp_runner_main(["--conf", conf])
    first = model_state(tmp_path, "latest")["colours"]
    assert first.std() > 0.05
    with caplog.at_level("INFO"):
        exp_runner_main(["--conf", conf])
    assert "nothing to train" in caplog.text
    exp_runner_main(["--conf", conf, "--is_eval"])
    out = run_folder(tmp_path) / "eval" / "test" / "epoch_1"
    assert json.loads((out / "metrics.json").read_text())["mean"]["psnr"] > 8
    assert (out / "mesh.ply").exists()
