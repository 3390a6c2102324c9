"""What is drawn at once is the baked mesh, what is refined is the renderer's image."""

import threading
import time

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
from imavatar.rendering.character import Character
from imavatar.rendering.image import soften_silhouette
from imavatar.rendering.proxy_mesh import ProxyMesh
from imavatar.types import Camera, HeadParameters
from imavatar.viewer.renderer import BAND, LiveRenderer
from oracles_ellipsoid_head import ellipsoid_head
from oracles_fields import disturb
from tiny_runs import write_config

HEIGHT, WIDTH = 2 * BAND + 9, 50
PATIENCE = 20.0


class Seen:
    """An untrained avatar, a head that is not at rest, and a camera."""

    def __init__(self, conf: str):
        self.config = load_config(conf)
        torch.manual_seed(0)
        flame = build.build_flame(self.config, build.build_head_assets(self.config), torch.zeros(100))
        avatar = build.build_avatar(self.config, flame)
        disturb(avatar.deformer, 0.02, 1)
        self.character = Character(avatar, flame, torch.zeros(1, 0))
        neutral = self.character.pose(HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15)))
        mesh = bake_mesh(avatar, neutral, resolution=32, n_faces=1500, bound=1.2)
        self.baked = bake_avatar(self.character, mesh.vertices, mesh.faces, [neutral])
        self.renderers = self.new_renderers()
        self.head = HeadParameters(0.5 * torch.ones(1, 50), 0.1 * torch.ones(1, 15))
        world = torch.eye(4)[None].clone()
        world[0, 2, 3] = 4.0
        self.camera = Camera(torch.tensor([[-150.0, 150.0, 24.5, 36.0]]), world)

    def new_renderers(self):
        avatar = self.character.avatar
        return [build.build_renderer(self.config, avatar, supersample=n, silhouette_blur=0.0) for n in (1, 2)]

    def live(self, n_renderers: int, blur: float = 0.0) -> LiveRenderer:
        return LiveRenderer(self.character, self.baked, self.renderers[:n_renderers], blur)

    def fresh(self) -> LiveRenderer:
        """Nothing has been rendered with it."""
        return LiveRenderer(self.character, self.baked, self.new_renderers())

    def exact(self, renderer):
        return renderer.render(self.camera, self.character.pose(self.head), HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    root = tmp_path_factory.mktemp("renderer")
    save_head(root / "head.npz", ellipsoid_head())
    return Seen(write_config(root))


def as_bytes(rgb: torch.Tensor) -> np.ndarray:
    return np.rint(127.5 * (rgb.double().numpy() + 1).clip(0, 2)).astype(int)


def always() -> bool:
    return True


def test_a_frame_is_the_baked_mesh_posed_by_its_formula(seen):
    with torch.no_grad():
        posed = seen.character.pose(seen.head)
    vertices = seen.baked.posed(
        posed.expression[0].double().numpy(), posed.pose_feature[0].double().numpy(), frame_transforms(posed, 0)
    )
    expected = np.rint(255 * draw(seen.baked, vertices, seen.camera, HEIGHT, WIDTH)).astype(int)
    found = seen.live(1).draw(seen.head, seen.camera, HEIGHT, WIDTH).astype(int)
    assert found.shape == (HEIGHT, WIDTH, 3) and (found < 250).any()
    assert (np.abs(found - expected).max(axis=-1) > 1).mean() < 0.01


def test_the_exact_image_replaces_it_from_the_top_down_by_every_renderer_in_turn(seen):
    live = seen.live(2)
    drawn = live.draw(seen.head, seen.camera, HEIGHT, WIDTH).astype(int)
    one, two = (as_bytes(seen.exact(renderer).rgb) for renderer in seen.renderers)
    assert np.abs(one - drawn).max() > 5
    images = [image.astype(int) for image in live.refine(seen.head, seen.camera, HEIGHT, WIDTH, always)]
    assert len(images) == 6
    for k, image in enumerate(images):
        done = min(HEIGHT, (k % 3 + 1) * BAND)
        upper, lower = (one, drawn) if k < 3 else (two, one)
        expected = np.concatenate([upper[:done], lower[done:]])
        # Rays at an edge may be found in one portion of rays and not in another.
        assert (np.abs(image - expected).max(axis=-1) > 1).mean() < 0.01


def test_the_last_image_has_a_soft_silhouette_where_it_is_asked_for(seen):
    *_, last = seen.live(1, blur=1.0).refine(seen.head, seen.camera, HEIGHT, WIDTH, always)
    expected = as_bytes(soften_silhouette(seen.exact(seen.renderers[0]), 1.0).rgb)
    assert (np.abs(last.astype(int) - expected).max(axis=-1) > 2).mean() < 0.02
    hard = as_bytes(seen.exact(seen.renderers[0]).rgb)
    assert np.abs(expected - hard).max() > 20


def test_refining_ends_where_it_is_not_wanted_any_more(seen):
    answers = iter([True, False])
    images = list(seen.live(2).refine(seen.head, seen.camera, HEIGHT, WIDTH, lambda: next(answers)))
    assert len(images) == 1


@pytest.fixture
def meanwhile(monkeypatch):
    """Sets what happens once while a browser's band is rendered: its frame's mesh is posed, and no ray is cast yet."""
    pose, actions = ProxyMesh.pose, []

    def interrupted(self, deform):
        index = pose(self, deform)
        if actions:
            actions.pop()()
        return index

    monkeypatch.setattr(ProxyMesh, "pose", interrupted)
    return actions.append


def wait_until(condition) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


def test_two_browsers_that_refine_at_once_get_the_images_that_each_gets_alone(seen, meanwhile):
    heads = seen.head, HeadParameters(-0.5 * torch.ones(1, 50), -0.2 * torch.ones(1, 15))
    alone = [list(seen.fresh().refine(head, seen.camera, HEIGHT, WIDTH, always)) for head in heads]
    assert np.abs(alone[0][-1].astype(int) - alone[1][-1]).max() > 50
    live, second, asked = seen.fresh(), [], []

    def wanted() -> bool:
        asked.append(None)
        return True

    other = threading.Thread(
        target=lambda: second.extend(live.refine(heads[1], seen.camera, HEIGHT, WIDTH, wanted)), daemon=True
    )

    def interrupt() -> None:
        """The other one renders all it can: to its end, or until it asks more often than it has bands."""
        other.start()
        wait_until(lambda: not other.is_alive() or len(asked) > len(alone[1]))

    meanwhile(interrupt)
    first = list(live.refine(heads[0], seen.camera, HEIGHT, WIDTH, always))
    other.join(PATIENCE)
    for found, expected in zip((first, second), alone, strict=True):
        assert len(found) == len(expected)
        assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


def test_a_browser_draws_and_gives_up_refining_while_another_ones_band_is_rendered(seen, meanwhile):
    live, answers = seen.fresh(), iter([True, True, False])
    expected, found = live.draw(seen.head, seen.camera, HEIGHT, WIDTH), []

    def interrupt() -> None:
        def browse() -> None:
            found.append(list(live.refine(seen.head, seen.camera, HEIGHT, WIDTH, lambda: next(answers))))
            found.append(live.draw(seen.head, seen.camera, HEIGHT, WIDTH))

        other = threading.Thread(target=browse, daemon=True)
        other.start()
        other.join(PATIENCE)

    meanwhile(interrupt)
    images = live.refine(seen.head, seen.camera, HEIGHT, WIDTH, always)
    next(images)
    assert found[0] == [] and np.array_equal(found[1], expected)
    assert len(list(images)) == 5
