"""A character poses heads as its head model does, with its latent code in every row."""

import torch

from imavatar.head.flame import Flame
from imavatar.rendering.character import Character
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import ellipsoid_head


def character(latent_size: int) -> Character:
    flame = Flame(ellipsoid_head(), torch.zeros(4), n_expression=5)
    return Character(torch.nn.Identity(), flame, torch.arange(float(latent_size))[None])


def heads() -> HeadParameters:
    return HeadParameters(torch.randn(3, 5), 0.1 * torch.randn(3, 15))


def test_every_row_has_the_latent_code_and_the_transforms_of_its_head():
    shown, frames = character(4), heads()
    posed = shown.pose(frames)
    assert torch.equal(posed.latent, torch.arange(4.0).expand(3, 4))
    for k in range(3):
        alone = shown.pose(frames[k : k + 1])
        assert torch.allclose(posed.bone_transforms[k], alone.bone_transforms[0])
        assert torch.allclose(shown.flame.posed_vertices(posed)[k], shown.flame.vertices(frames)[k])


def test_without_a_latent_code_it_is_zero_wide():
    assert character(0).pose(heads()).latent.shape == (3, 0)


def test_posing_is_differentiable_in_expression_and_pose():
    frames = heads()
    frames.expression.requires_grad_(True)
    frames.pose.requires_grad_(True)
    character(2).pose(frames).bone_transforms.square().sum().backward()
    assert frames.expression.grad.abs().sum() > 0
    assert frames.pose.grad.abs().sum() > 0
