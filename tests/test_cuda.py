"""What is computed on a GPU is what is computed on a CPU. Skipped where torch finds no GPU."""

import json
from dataclasses import fields

import pytest
import torch

from imavatar import build
from imavatar.baselines.methods import METHODS
from imavatar.cli.exp_runner import exp_runner_main
from imavatar.config import load_config
from imavatar.head.assets import save_head
from imavatar.numerics.mesh_bvh import MeshBVH, signed_distance
from imavatar.training.step import StepLosses, training_step
from imavatar.types import Camera, HeadParameters
from one_step import in_double_precision
from oracles_ellipsoid_head import ellipsoid, ellipsoid_head
from oracles_fields import frontal_rays
from oracles_subject import write_subject
from tiny_runs import run_folder, write_config

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")

HASH_GRID = "model.rendering_network.hash_grid { levels = 4, log2_rows = 10 }\n"
ALL_TERMS = """
loss { flame_distance_weight = 10.0, head_distance_weight = 1.0 }
loss { mouth_interior_weight = 1.0, expression_reg_weight = 0.1 }
train { optimize_camera = True, optimize_expression = True, condition_noise = 0.5 }
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_subject(tmp_path)
    save_head(tmp_path / "head.npz", ellipsoid_head())
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    return tmp_path


class Setup:
    """The same run on one device."""

    def __init__(self, conf: str, device: str, dtype: torch.dtype):
        self.config, self.device, self.dtype = load_config(conf), torch.device(device), dtype
        torch.manual_seed(0)
        self.dataset = build.build_dataset(self.config, "train")
        head = build.build_head_assets(self.config)
        self.flame = build.build_flame(self.config, head, self.dataset.shape_params).to(self.device)
        self.avatar = build.build_avatar(self.config, self.flame).to(self.device)
        self.run = build.build_run(self.config, self.avatar, self.flame, self.dataset, self.device)
        for module in (self.avatar, self.run.frames, self.flame):
            module.to(dtype)
        self.objective = build.build_objective(self.config, build.build_head_surface(self.flame, head))

    def posed(self):
        expression, pose = 0.02 * torch.arange(50.0)[None], torch.zeros(1, 15)
        pose[0, [3, 6]] = torch.tensor([0.2, 0.3])
        frame = torch.zeros(1, dtype=torch.long, device=self.device)
        return self.flame(HeadParameters(expression, pose).to(self.device, self.dtype), self.run.frames.latent(frame))

    def hits(self, masked: bool):
        rays = frontal_rays(300, spread=0.5).to(self.device, self.dtype)
        inside = (torch.arange(300) % 3 > 0).to(self.device) if masked else None
        with torch.no_grad():
            return self.avatar.find_surface(rays, self.posed(), inside)

    def step(self) -> dict[str, torch.Tensor]:
        """What two steps in double precision make of the weights and the frames' parameters."""
        losses = StepLosses(self.avatar, self.objective)
        for frames in ([0, 2], [1]):
            generator = torch.Generator().manual_seed(frames[0])
            batch = in_double_precision(self.dataset.batch(frames, 96, generator))
            training_step(self.run, losses, batch, self.config.loss, generator, self.config.train)
        named = [*self.avatar.named_parameters(), *self.run.frames.named_parameters()]
        return {name: parameter.detach().cpu() for name, parameter in named}

    def image(self):
        world = torch.eye(4)[None].clone()
        world[0, 2, 3] = 4.0
        camera = Camera(torch.tensor([[-96.0, 96.0, 16.0, 16.0]]), world).to(self.device, self.dtype)
        renderer = build.build_renderer(self.config, self.avatar)
        return renderer.render(camera, self.posed(), 32, 32)


def both(root, dtype=torch.float32, **options) -> tuple[Setup, Setup]:
    conf = write_config(root, **options)
    here, there = Setup(conf, "cpu", dtype), Setup(conf, "cuda", dtype)
    there.avatar.load_state_dict(here.avatar.state_dict())
    return here, there


def test_meshes_are_met_at_the_same_points():
    vertices, faces = (torch.as_tensor(values) for values in ellipsoid([0.5, 0.6, 0.4], [0.0, 0.1, 0.0], 24, 32))
    vertices, rays = vertices.float(), frontal_rays(400, spread=0.6).to(dtype=torch.float32)
    near, far = torch.full((400,), 1.0), torch.full((400,), 5.0)
    found = []
    for device in ("cpu", "cuda"):
        mesh = MeshBVH(vertices.to(device), faces.to(device))
        mesh.refit(1.1 * vertices.to(device))
        cast = mesh.cast(rays.origins.to(device), rays.directions.to(device))
        approach = mesh.closest_approach(
            rays.origins.to(device), rays.directions.to(device), near.to(device), far.to(device)
        )
        distance, _ = signed_distance(vertices.to(device), faces.to(device), rays.at(near).to(device))
        found.append((cast.to("cpu"), approach.to("cpu"), distance.cpu()))
    (cast, approach, distance), (gpu_cast, gpu_approach, gpu_distance) = found
    assert 100 < (cast.face >= 0).sum() < 400
    assert ((cast.face >= 0) == (gpu_cast.face >= 0)).float().mean() > 0.99
    hit = (cast.face >= 0) & (gpu_cast.face >= 0)
    assert (cast.depth - gpu_cast.depth)[hit].abs().max() < 1e-4
    missed = (cast.face < 0) & (gpu_cast.face < 0)
    assert (approach.depth - gpu_approach.depth)[missed].abs().quantile(0.95) < 0.02
    torch.testing.assert_close(distance, gpu_distance, rtol=0, atol=1e-5)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("search", ["proxy", "paper"])
@pytest.mark.parametrize("latent", [0, 32])
def test_searches_find_the_same_points(root, search, masked, latent):
    here, there = both(root, search=search, latent=latent)
    expected, found = here.hits(masked), there.hits(masked).to("cpu")
    assert 50 < expected.hit.sum() < 290
    # A ray at an edge may fall on either side of it by rounding.
    assert (found.hit != expected.hit).sum() <= 1
    same = found.hit & expected.hit
    assert (found.depth - expected.depth)[same].abs().quantile(0.99) < 1e-4
    assert (found.x_c - expected.x_c)[same].abs().quantile(0.99) < 1e-4


@pytest.mark.parametrize("name", METHODS)
def test_steps_change_the_weights_by_the_same(root, name):
    supervised = name in ("IMavatar", "B-Morph", "Fwd-Skin")
    none = "" if supervised else "loss.head_fields_weight = 0.0\nloss.lbs_weight = 0.0\n"
    extra = f"model.method = {name}\n{none}{ALL_TERMS if name == 'IMavatar' else ''}"
    here, there = both(root, torch.float64, search="paper", extra=extra)
    before = {key: value.clone() for key, value in here.avatar.state_dict().items()}
    expected, found = here.step(), there.step()
    assert any(not torch.equal(value, before.get(key)) for key, value in expected.items() if key in before)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=2e-5, msg=lambda text, key=key: f"{key}: {text}")


def test_images_are_the_same(root):
    here, there = both(root)
    expected, found = here.image(), there.image()
    for field in fields(expected):
        difference = (getattr(found, field.name).cpu() - getattr(expected, field.name)).abs()
        assert (difference > 1e-3).float().mean() < 0.005, field.name


def test_what_a_gpu_trained_a_cpu_resumes_and_renders(root, monkeypatch):
    conf = write_config(root, extra=f"{HASH_GRID}train.warm_start_steps = 20\n")
    exp_runner_main(["--conf", conf, "--nepoch", "2"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    exp_runner_main(["--conf", conf, "--nepoch", "3", "--is_continue"])
    exp_runner_main(["--conf", conf, "--is_eval"])
    metrics = json.loads((run_folder(root) / "eval" / "test" / "epoch_3" / "metrics.json").read_text())
    assert metrics["mean"]["mask_iou"] > 0.5
