"""Test-time fitting finds the expression that a picture was made with, and leaves the avatar as it is."""

from dataclasses import replace

import torch

from imavatar.data.dataset import Frame
from imavatar.evaluation.fitting import fit_frame
from imavatar.fields.deformer import Deformer
from imavatar.fields.geometry import Geometry
from imavatar.fields.texture import Texture
from imavatar.head.flame import Flame
from imavatar.losses import HeadSupervision
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.character import Character
from imavatar.rendering.correspondence import CorrespondenceSettings
from imavatar.rendering.image import ImageRenderer
from imavatar.rendering.proxy_search import ProxySearch
from imavatar.training.head_samples import HeadSurface
from imavatar.training.warm_start import warm_start
from imavatar.types import Camera, HeadParameters
from oracles_ellipsoid_head import ellipsoid_head

SIZE = 48


def test_a_fit_comes_near_the_parameters_of_the_picture():
    torch.manual_seed(0)
    flame = Flame(ellipsoid_head(), torch.zeros(100))
    search = ProxySearch(radius=1.2, resolution=48, correspondence=CorrespondenceSettings())
    avatar = Avatar(
        Geometry((64, 64, 64), n_features=8, skip_in=(2,), n_octaves=3),
        Deformer(flame.canonical_head, (32, 32), n_octaves=2),
        Texture((32, 32), n_features=8, n_octaves=4),
        search,
    )
    with torch.no_grad():
        supervision = HeadSupervision(flame.canonical_vertices, flame.vertex_fields())
    head = HeadSurface(supervision, flame.faces_tensor)
    generator = torch.Generator().manual_seed(0)
    warm_start(avatar, head, flame.canonical_head, n_steps=200, bound=1.2, generator=generator)
    with torch.no_grad():
        for layer in avatar.texture.layers:  # a texture with contrast
            layer.weight_g *= 3
    world = torch.eye(4)[None].clone()
    world[0, :3, 3] = torch.tensor([0.0, 0.0, 4.0])
    camera = Camera(torch.tensor([[-3.0 * SIZE, 3.0 * SIZE, SIZE / 2, SIZE / 2]]), world)
    true_pose = torch.zeros(1, 15)
    true_pose[0, 4], true_pose[0, 6] = 0.08, 0.1
    truth = HeadParameters(torch.zeros(1, 50), true_pose)
    with torch.no_grad():
        image = ImageRenderer(avatar).render(camera, flame(truth), SIZE, SIZE)
    start = HeadParameters(torch.zeros(1, 50), torch.zeros(1, 15))
    box = torch.tensor([8.0, 8.0, 40.0, 40.0])
    frame = Frame("1", "test", image.rgb, image.alpha > 0.5, None, camera, start, box, torch.zeros(68, 2))
    avatar.zero_grad()
    before = [p.clone() for p in avatar.parameters()]
    character = Character(avatar, flame, torch.zeros(1, 0))
    found = fit_frame(character, frame, generator)
    assert all(torch.equal(a, b) for a, b in zip(before, avatar.parameters(), strict=True))
    assert all(p.requires_grad and p.grad is None for p in avatar.parameters())

    def difference(head) -> float:
        with torch.no_grad():
            drawn = ImageRenderer(avatar).render(camera, flame(head), SIZE, SIZE)
        return float((drawn.rgb - image.rgb).abs().mean())

    assert difference(found) < 0.75 * difference(start)
    assert (found.pose - true_pose)[0, [4, 6]].abs().max() < 0.7 * true_pose.abs().max()
    assert not found.expression.requires_grad
    again = fit_frame(character, replace(frame, head=truth), generator)
    assert difference(again) < 0.5 * difference(start)
