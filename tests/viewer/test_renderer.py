"""What is drawn at once is the baked mesh, what is refined is the renderer's image."""

import numpy as np
import pytest
import torch

pytest.importorskip("fast_simplification", reason="needs the extra `viewer`")

from imavatar import build
from imavatar.baking.bake import bake_avatar, bake_mesh
from imavatar.baking.baked import frame_transforms
from imavatar.baking.drawing import draw
from imavatar.config import load_config
from imavatar.head.assets import save_head
from imavatar.rendering.image import soften_silhouette
from imavatar.types import Camera, HeadParameters
from imavatar.viewer.renderer import BAND, Stage
from oracles_ellipsoid_head import ellipsoid_head
from oracles_fields import disturb
from tiny_runs import write_config

HEIGHT, WIDTH = 2 * BAND + 9, 50


class Seen:
    """An untrained avatar on its stage, a head that is not at rest, and a camera."""

    def __init__(self, conf: str):
        config = load_config(conf)
        torch.manual_seed(0)
        self.flame = build.build_flame(config, build.build_head_assets(config), torch.zeros(100))
        self.avatar = build.build_avatar(config, self.flame)
        disturb(self.avatar.deformer, 0.02, 1)
        self.latent = torch.zeros(1, 0)
        neutral = self.flame(HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15)), self.latent)
        canonical, faces, *_ = bake_mesh(self.avatar, neutral, resolution=32, n_faces=1500, bound=1.2)
        self.baked = bake_avatar(self.avatar, self.flame, canonical, faces, [neutral])
        self.renderers = [build.build_renderer(config, self.avatar, supersample=n, silhouette_blur=0.0) for n in (1, 2)]
        self.head = HeadParameters(0.5 * torch.ones(1, 50), 0.1 * torch.ones(1, 15))
        world = torch.eye(4)[None].clone()
        world[0, 2, 3] = 4.0
        self.camera = Camera(torch.tensor([[-150.0, 150.0, 24.5, 36.0]]), world)

    def stage(self, n_renderers: int, blur: float = 0.0) -> Stage:
        return Stage(self.baked, self.flame, self.renderers[:n_renderers], self.latent, blur)

    def exact(self, renderer):
        return renderer.render(self.camera, self.flame(self.head, self.latent), HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    root = tmp_path_factory.mktemp("stage")
    save_head(root / "head.npz", ellipsoid_head())
    return Seen(write_config(root))


def as_bytes(rgb: torch.Tensor) -> np.ndarray:
    return np.rint(127.5 * (rgb.double().numpy() + 1).clip(0, 2)).astype(int)


def always() -> bool:
    return True


def test_a_frame_is_the_baked_mesh_posed_by_its_formula(seen):
    with torch.no_grad():
        posed = seen.flame(seen.head, seen.latent)
    vertices = seen.baked.posed(
        posed.expression[0].double().numpy(), posed.pose_feature[0].double().numpy(), frame_transforms(posed, 0)
    )
    expected = np.rint(255 * draw(seen.baked, vertices, seen.camera, HEIGHT, WIDTH)).astype(int)
    found = seen.stage(1).draw(seen.head, seen.camera, HEIGHT, WIDTH).astype(int)
    assert found.shape == (HEIGHT, WIDTH, 3) and (found < 250).any()
    assert (np.abs(found - expected).max(axis=-1) > 1).mean() < 0.01


def test_the_exact_image_replaces_it_from_the_top_down_by_every_renderer_in_turn(seen):
    stage = seen.stage(2)
    drawn = stage.draw(seen.head, seen.camera, HEIGHT, WIDTH).astype(int)
    one, two = (as_bytes(seen.exact(renderer).rgb) for renderer in seen.renderers)
    assert np.abs(one - drawn).max() > 5
    images = [image.astype(int) for image in stage.refine(seen.head, seen.camera, HEIGHT, WIDTH, always)]
    assert len(images) == 6
    for k, image in enumerate(images):
        done = min(HEIGHT, (k % 3 + 1) * BAND)
        upper, lower = (one, drawn) if k < 3 else (two, one)
        expected = np.concatenate([upper[:done], lower[done:]])
        # Rays at an edge may be found in one portion of rays and not in another.
        assert (np.abs(image - expected).max(axis=-1) > 1).mean() < 0.01


def test_the_last_image_has_a_soft_silhouette_where_it_is_asked_for(seen):
    *_, last = seen.stage(1, blur=1.0).refine(seen.head, seen.camera, HEIGHT, WIDTH, always)
    expected = as_bytes(soften_silhouette(seen.exact(seen.renderers[0]), 1.0).rgb)
    assert (np.abs(last.astype(int) - expected).max(axis=-1) > 2).mean() < 0.02
    hard = as_bytes(seen.exact(seen.renderers[0]).rgb)
    assert np.abs(expected - hard).max() > 20


def test_refining_ends_where_it_is_not_wanted_any_more(seen):
    answers = iter([True, False])
    images = list(seen.stage(2).refine(seen.head, seen.camera, HEIGHT, WIDTH, lambda: next(answers)))
    assert len(images) == 1
