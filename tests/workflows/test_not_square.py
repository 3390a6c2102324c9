"""Pictures that are taller than wide, and whose camera looks past them: every command from training to export."""

import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import imavatar
from imavatar.cli import exp_runner_main
from imavatar.data.dataset import FaceDataset
from imavatar.data.images import read_colour
from imavatar.data.video_file import read_frames
from imavatar.head.assets import save_head
from imavatar.rendering.camera import cast_rays, project
from imavatar.viewer.camera import field_of_view, look_towards, orbit_camera
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import DISTANCE, RADIUS, write_subject
from tiny_runs import losses, run_folder, write_config

SIZE = (64, 48)
INTRINSICS = (-2.2, 1.65, 0.4, 1.8)
"""Square pixels; the principal point is below the picture, as of a crop from the top of a tall video."""
BASELINE = "model.method = B-Morph\ntrain.methodname = morph\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The sphere in such pictures, an avatar of it and a baseline, trained and evaluated."""
    root = tmp_path_factory.mktemp("tall")
    write_subject(root, size=SIZE, intrinsics=INTRINSICS)
    save_head(root / "head.npz", ellipsoid_head())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAVATAR_ASSETS", str(root / "none"))
        for method in ("", BASELINE):
            sizes = "".join(f"dataset.{part}.img_res = [{SIZE[0]}, {SIZE[1]}]\n" for part in ("train", "test"))
            conf = write_config(root, extra=f"{sizes}train.warm_start_steps = 60\n{method}")
            exp_runner_main(["--conf", conf, "--nepoch", "2"])
            exp_runner_main(["--conf", conf, "--is_eval"])
    return root


@pytest.fixture(scope="module")
def avatar(root):
    return imavatar.load(run_folder(root))


def test_keypoints_are_on_the_rays_of_their_pixels(tmp_path):
    write_subject(tmp_path, size=SIZE, intrinsics=INTRINSICS)
    frame = FaceDataset(tmp_path, "sphere", ["train"], SIZE).frame(1)
    rays = cast_rays(frame.camera, frame.keypoints, torch.zeros(len(frame.keypoints), dtype=torch.long))
    along = -(rays.origins * rays.directions).sum(dim=-1)
    gap = rays.origins.square().sum(dim=-1) - along.square()
    met = rays.at(along - (RADIUS**2 - gap).sqrt())
    torch.testing.assert_close(met.norm(dim=-1), torch.full((len(met),), RADIUS))
    torch.testing.assert_close(project(frame.camera, met[None])[0], frame.keypoints, atol=1e-3, rtol=0)
    # The oracle's landmarks are so far from the front; those most aside are behind what a camera from above sees.
    tilt = torch.linspace(0.05, 0.9, 70)[:60]
    torch.testing.assert_close(met[:60, 2], RADIUS * tilt.cos(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", ["tiny", "morph"])
def test_a_run_learns_and_is_evaluated_in_the_pictures_size(root, method):
    folder = run_folder(root).parents[1] / method / "train"
    out = folder / "eval" / "test" / "epoch_2"
    assert json.loads((out / "metrics.json").read_text())["mean"]["mask_iou"] > 0.6
    image = read_colour(out / "rgb" / "1.png", "image")
    assert image.shape == (*SIZE, 3)
    assert len(list(read_frames(out / "comparison.mp4"))) == 4
    if method == "tiny":
        assert losses(root)[-1] < losses(root)[0]


def test_an_avatar_is_animated_and_exported_in_the_pictures_proportions(avatar, tmp_path):
    for views in ("fixed", "ring"):
        options = imavatar.AnimationOptions(frames=2, preview=True, views=views)
        shown = list(read_frames(imavatar.animate(avatar, "sweep", tmp_path / f"{views}.mp4", options)))
        height, width = shown[0].shape[:2]
        assert len(shown) == 2 and width / height == pytest.approx(2 * SIZE[1] / SIZE[0])  # beside the normals
        assert (shown[0][height // 2, : width // 2] < 200).any()
    options = imavatar.ExportOptions(resolution=24, faces=600, texture=0, check=2, expressions=4)
    pytest.importorskip("pygltflib", reason="needs the extra `export`")
    _, fidelity = imavatar.export_avatar(avatar, tmp_path / "a.glb", options)
    assert min(fidelity.psnr) > 10


def test_a_browser_looks_at_what_the_pictures_show(avatar):
    view = avatar.view()
    assert (view.height, view.width) == SIZE
    head = avatar.character.flame.canonical_vertices
    centre = head.mean(dim=0).double().numpy()
    place, target = look_towards(view, centre)
    fov = field_of_view(view.camera, view.height)
    # The browser's axes are x right, y down, z forward; turn them so that z leads to the target.
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward], axis=1)
    wxyz = Rotation.from_matrix(axes).as_quat(scalar_first=True)
    camera, height, width = orbit_camera(place, wxyz, fov, SIZE[1] / SIZE[0], 64)
    seen = project(camera, torch.as_tensor(head)[None].float())[0]
    inside = ((seen > 0) & (seen < torch.tensor([float(width), float(height)]))).all(dim=1)
    assert inside.float().mean() > 0.95
    assert np.linalg.norm(target - place) == pytest.approx(DISTANCE, rel=0.3)
