"""Per-frame parameters: what is optimised, and what stays as it was tracked."""

import pytest
import torch

from imavatar.training.frame_parameters import FrameParameters, OptimisedInputs
from imavatar.types import Camera, HeadParameters

N = 5


def tracked() -> tuple[HeadParameters, Camera]:
    world = torch.eye(4).repeat(N, 1, 1)
    world[:, :3, 3] = torch.randn(N, 3)
    world[:, 0, 0] = -1.0  # a rotation that is told from the identity
    return HeadParameters(torch.randn(N, 50), torch.randn(N, 15)), Camera(torch.ones(N, 4), world)


def frames(latent_size: int = 0, **optimised) -> tuple[FrameParameters, HeadParameters, Camera]:
    head, camera = tracked()
    generator = torch.Generator().manual_seed(0)
    module = FrameParameters(
        head, camera, optimised=OptimisedInputs(**optimised), latent_size=latent_size, generator=generator
    )
    return module, head, camera


def test_without_optimisation_everything_is_as_tracked():
    module, head, camera = frames()
    frame = torch.tensor([3, 1])
    torch.testing.assert_close(module.head(frame).pose, head.pose[frame])
    assert module.camera(frame, camera[frame]).world_from_camera.equal(camera.world_from_camera[frame])
    assert module.latent(frame).shape == (2, 0)
    assert module.trainable() == [] and module.deviations(frame) == {}


def test_an_optimised_camera_has_the_identity_as_its_rotation_and_starts_at_the_tracked_centre():
    module, _, camera = frames(camera=True)
    frame = torch.tensor([2])
    world = module.camera(frame, camera[frame]).world_from_camera[0]
    assert world[:3, :3].equal(torch.eye(3))
    assert world[:3, 3].equal(camera.world_from_camera[2, :3, 3])


def test_gradients_reach_the_frames_of_the_batch_alone():
    module, _, _ = frames(expression=True)
    module.head(torch.tensor([1, 4])).expression.sum().backward()
    gradient = module.expression.weight.grad
    assert gradient.is_sparse
    assert gradient.coalesce().indices().flatten().tolist() == [1, 4]


def test_regularisers_are_plain_sums_of_squares():
    module, _, _ = frames(expression=True, camera=True)
    with torch.no_grad():
        module.expression.weight[1] += 0.1
        module.flame_pose.weight[1] += 0.2
        module.camera_pose.weight[1] += 0.3
    terms = module.deviations(torch.tensor([1, 2]))
    assert {name: term.item() for name, term in terms.items()} == {
        "expression_reg": pytest.approx(50 * 0.01, rel=1e-4),
        "pose_reg": pytest.approx(15 * 0.04, rel=1e-4),
        "cam_reg": pytest.approx(3 * 0.09, rel=1e-4),
    }


def test_latent_codes_start_uniform_and_the_same_for_the_same_seed():
    first, second = frames(32, latent_code=True)[0], frames(32, latent_code=True)[0]
    codes = first.latent(torch.arange(N))
    assert codes.equal(second.latent(torch.arange(N)))
    assert codes.min() >= 0 and codes.max() <= 1 and codes.shape == (N, 32)
    assert [p.shape for p in first.trainable()] == [(N, 32)]


def test_what_all_frames_have_in_common_is_left_to_the_avatar():
    module, head, camera = frames(camera=True)
    with torch.no_grad():
        module.camera_pose.weight += torch.tensor([0.1, -0.2, 0.3])
        module.flame_pose.weight[0, 4] += 0.5
    module.centre()
    torch.testing.assert_close(module.camera_pose.weight, camera.world_from_camera[:, :3, 3], atol=1e-6, rtol=0)
    deviation = (module.flame_pose.weight - head.pose)[:, 4]
    torch.testing.assert_close(deviation, torch.tensor([0.4, -0.1, -0.1, -0.1, -0.1]), atol=1e-6, rtol=0)
    assert module.expression.weight.equal(head.expression)
