"""A trained avatar as the library's users have it: loaded, posed, rendered, driven by names, exported."""

import json

import numpy as np
import pytest
import torch

import imavatar
from imavatar.anatomy import Joint, pose_slice
from imavatar.cli.exp_runner import exp_runner_main
from imavatar.data.video_file import read_frames
from imavatar.errors import ConfigError
from imavatar.head.assets import save_head
from imavatar.rendering.camera import project
from imavatar.types import Camera, HeadParameters, View
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import run_folder, write_config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that was trained for an epoch."""
    root = tmp_path_factory.mktemp("run")
    write_subject(root)
    save_head(root / "head.npz", ellipsoid_head())
    conf = write_config(root, extra="train.warm_start_steps = 60\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAVATAR_ASSETS", str(root / "none"))
        exp_runner_main(["--conf", conf, "--nepoch", "1"])
    return run_folder(root)


@pytest.fixture(scope="module")
def avatar(run):
    return imavatar.load(run)


def test_a_run_is_loaded_from_its_folder_alone(run, avatar):
    assert avatar.epoch == 1 and avatar.folder.root == run and avatar.n_expression == 50
    moved = run.rename(run.with_name("moved"))
    try:
        assert imavatar.load(str(moved)).folder.root == moved
    finally:
        moved.rename(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.conf does not exist: a run's folder is"):
        imavatar.load(tmp_path)


def test_named_amounts_move_the_person_at_rest(avatar):
    rest = avatar.neutral()
    moved = avatar.head_parameters({"expression_03": 2.0}, jaw_x=0.25, headYaw=-0.1)
    expected = rest.expression.clone()
    expected[0, 3] += 2.0
    torch.testing.assert_close(moved.expression, expected)
    turned = moved.pose - rest.pose
    assert turned[0, pose_slice(Joint.JAW).start] == pytest.approx(0.25)
    assert turned[0, pose_slice(Joint.NECK).start + 1] == pytest.approx(-0.1)
    assert turned.count_nonzero() == 2
    with pytest.raises(ConfigError, match=r"nose_length: the head model .* has no such expression or joint; it has"):
        avatar.head_parameters(nose_length=1.0)


def test_a_picture_has_the_size_that_is_asked_for_and_shows_the_same(avatar):
    head = avatar.head_parameters(jaw_x=0.1)
    small = avatar.render(head)
    large = avatar.render(head, avatar.view(height=64, width=64), supersample=1)
    assert small.rgb.shape == (32, 32, 3) and large.rgb.shape == (64, 64, 3)
    # A pixel of the small picture is four of the large one.
    pooled = large.alpha.reshape(32, 2, 32, 2).mean(dim=(1, 3))
    assert (pooled - small.alpha).abs().mean() < 0.05 and small.alpha.mean() > 0.1


def test_a_view_that_is_resized_sees_a_point_at_the_same_place_of_the_picture():
    world = torch.eye(4)[None].clone()
    world[0, 2, 3] = 3.0
    view = View(Camera(torch.tensor([[-40.0, 50.0, 20.0, 11.0]]), world), 30, 40)
    x_d = torch.randn(1, 9, 3)
    before = (project(view.camera, x_d) + 0.5) / torch.tensor([40.0, 30.0])
    after = (project(view.resized(90, 60).camera, x_d) + 0.5) / torch.tensor([60.0, 90.0])
    torch.testing.assert_close(before, after)


def test_what_is_baked_is_posed_as_the_avatar_is(avatar):
    baked = imavatar.bake(avatar, resolution=24, faces=800)
    head = avatar.head_parameters(jaw_x=0.2, expression_01=1.0)
    posed = avatar.pose(head)
    x_c = torch.as_tensor(baked.canonical).float()
    exact = avatar.character.avatar.for_frame(posed)(x_c).detach().numpy() / 4
    np.testing.assert_allclose(baked.vertices_in(posed), exact, atol=1e-5)


def test_an_export_returns_what_the_file_holds_and_how_near_it_is(avatar, tmp_path):
    options = imavatar.ExportOptions(resolution=24, faces=600, texture=0, check=2, expressions=4)
    baked, fidelity = imavatar.export_avatar(avatar, tmp_path / "a.glb", options)
    assert len(baked.expression) == 4 and (tmp_path / "a.glb").read_bytes()[:4] == b"glTF"
    assert json.loads((tmp_path / "a.json").read_text())["psnr"]["frames"] == fidelity.psnr
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.glb"):
        imavatar.export_avatar(avatar, tmp_path / "a.obj", options)


def test_a_motion_is_a_name_or_rows_of_parameters(avatar, tmp_path):
    options = imavatar.AnimationOptions(frames=3, preview=True)
    assert len(list(read_frames(imavatar.animate(avatar, "sweep", tmp_path / "a.mp4", options)))) == 3
    heads = HeadParameters(torch.zeros(2, 50), torch.zeros(2, 15))
    ring = imavatar.AnimationOptions(preview=True, views="ring", neutral_align=True)
    assert len(list(read_frames(imavatar.animate(avatar, heads, tmp_path / "b.mp4", ring)))) == 2
    with pytest.raises(ConfigError, match="sweep is no other person's motion"):
        imavatar.animate(avatar, "sweep", tmp_path / "c.mp4", imavatar.AnimationOptions(neutral_align=True))
