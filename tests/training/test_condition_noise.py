"""Noise on what colours depend on: how large it is, and that nothing else sees it."""

import torch

from imavatar.training.frame_parameters import FrameParameters, OptimisedInputs
from imavatar.types import Camera, HeadParameters

N_FRAMES = 6


def frames(expression: torch.Tensor, pose: torch.Tensor) -> FrameParameters:
    n = len(expression)
    camera = Camera(torch.ones(n, 4), torch.eye(4).repeat(n, 1, 1))
    generator = torch.Generator().manual_seed(0)
    return FrameParameters(
        HeadParameters(expression, pose), camera, optimised=OptimisedInputs(), latent_size=0, generator=generator
    )


def test_the_spread_is_that_of_expressions_and_of_the_jaw_over_frames():
    expression, pose = torch.zeros(N_FRAMES, 50), torch.zeros(N_FRAMES, 15)
    expression[:, 3] = torch.tensor([2.0, -2.0] * 3)
    pose[:, 6] = torch.tensor([0.1, 0.3] * 3)
    pose[:, 3] = torch.arange(N_FRAMES)
    spread = frames(expression, pose).condition_std()
    assert spread.shape == (53,)
    torch.testing.assert_close(spread[3], torch.tensor(2.0))
    torch.testing.assert_close(spread[50], torch.tensor(0.1))
    assert spread.count_nonzero() == 2


def test_a_single_frame_has_no_spread():
    assert not frames(torch.rand(1, 50), torch.rand(1, 15)).condition_std().any()
