"""FLAME's forward pass against closed forms, a naive implementation, and the authors' outputs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.anatomy import HEAD_SCALE, JOINT_PARENTS, Joint, pose_slice
from imavatar.head.assets import load_head
from imavatar.head.flame import Flame
from imavatar.types import HeadParameters
from oracles_ellipsoid_head import ellipsoid_head

PARITY = Path(__file__).resolve().parents[3] / "shared" / "data" / "parity"
N = 50


@pytest.fixture(scope="module")
def assets():
    return ellipsoid_head()


@pytest.fixture(scope="module")
def shape():
    return 0.5 * torch.randn(100, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def flame(assets, shape):
    return Flame(assets, shape)


def parameters(n: int = 1, *, expression: float = 0.0, pose: float = 0.0) -> HeadParameters:
    generator = torch.Generator().manual_seed(2)
    return HeadParameters(
        expression * torch.randn(n, N, dtype=torch.float64, generator=generator),
        pose * torch.randn(n, 15, dtype=torch.float64, generator=generator),
    )


def rotated(joint: Joint, vector: list[float]) -> HeadParameters:
    head = parameters()
    head.pose[0, pose_slice(joint)] = torch.tensor(vector, dtype=torch.float64)
    return head


def test_at_rest_the_vertices_are_the_template_with_the_subjects_shape(flame, assets, shape):
    expected = HEAD_SCALE * (assets.v_template + assets.shapedirs[..., :100] @ shape.numpy())
    np.testing.assert_allclose(flame.vertices(parameters())[0].numpy(), expected, atol=1e-6)


def test_a_global_rotation_turns_the_rest_about_the_root_joint(flame):
    vector = [0.2, -0.5, 0.1]
    rest = flame.vertices(parameters())[0]
    root = (flame.J_regressor @ rest)[Joint.GLOBAL]
    turn = torch.tensor(Rotation.from_rotvec(vector).as_matrix())
    # The skinning weights are single precision in the file: they sum to one within 1e-8.
    torch.testing.assert_close(
        flame.vertices(rotated(Joint.GLOBAL, vector))[0], (rest - root) @ turn.T + root, atol=1e-7, rtol=0
    )


def test_the_jaw_moves_nothing_that_it_has_no_weight_on(flame):
    head = rotated(Joint.JAW, [0.3, 0, 0])
    feature = flame(head).pose_feature[0]
    corrective = (feature @ flame.posedirs).view(-1, 3)
    moved = flame.vertices(head)[0] - flame.vertices(parameters())[0] - corrective
    without = flame.lbs_weights[:, Joint.JAW] == 0
    assert moved[without].abs().max() < 1e-9
    assert moved[flame.lbs_weights[:, Joint.JAW] > 0.9].norm(dim=1).min() > 1e-3


def test_joints_follow_the_expression(flame):
    head = parameters(expression=1.0, pose=0.2)
    shaped = flame.vertices(HeadParameters(head.expression, torch.zeros_like(head.pose)))
    joint = (flame.J_regressor @ shaped[0])[Joint.GLOBAL]
    transform = flame(head).bone_transforms[0, 1 + Joint.GLOBAL]
    torch.testing.assert_close(transform[:3, :3] @ joint + transform[:3, 3], joint)


def test_vertices_equal_a_naive_loop_over_vertices_and_joints(flame):
    head = parameters(expression=1.0, pose=0.3)
    shaped = flame.v_template + flame.shapedirs[..., 100:] @ head.expression[0]
    joints = (flame.J_regressor @ shaped).numpy()
    turns = Rotation.from_rotvec(head.pose.view(5, 3).numpy()).as_matrix()
    feature = torch.tensor(turns[1:] - np.eye(3)).reshape(36)
    corrected = (shaped + (feature @ flame.posedirs).view(-1, 3)).numpy()
    world = []
    for joint, parent in enumerate(JOINT_PARENTS):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    expected = []
    for vertex, weights in zip(corrected, flame.lbs_weights.numpy(), strict=True):
        terms = [w * (m[:3, :3] @ (vertex - j) + m[:3, 3]) for w, m, j in zip(weights, world, joints, strict=True)]
        expected.append(sum(terms))
    np.testing.assert_allclose(flame.vertices(head)[0].numpy(), np.array(expected), atol=1e-9)


def test_a_batch_equals_its_elements(flame):
    head = parameters(3, expression=1.0, pose=0.3)
    together = flame.vertices(head)
    for row in range(3):
        torch.testing.assert_close(together[row : row + 1], flame.vertices(head[row : row + 1]))


def test_gradients_agree_with_central_differences(flame):
    head = parameters(expression=1.0, pose=0.3)
    weights = torch.randn(len(flame.v_template), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

    def value(pose, expression):
        return (flame.vertices(HeadParameters(expression, pose))[0] * weights).sum()

    pose, expression = head.pose.clone().requires_grad_(), head.expression.clone().requires_grad_()
    assert torch.autograd.gradcheck(value, (pose, expression), eps=1e-6, atol=1e-5, rtol=1e-6)


def test_the_ghost_bone_comes_first_and_never_moves(assets, shape):
    head = parameters(expression=1.0, pose=0.3)
    with_ghost = Flame(assets, shape, ghost_bone=True)(head).bone_transforms
    without = Flame(assets, shape, ghost_bone=False)(head).bone_transforms
    torch.testing.assert_close(with_ghost[:, 0], torch.eye(4, dtype=torch.float64).expand(1, 4, 4))
    torch.testing.assert_close(with_ghost[:, 1:], without)


def test_vertex_fields_deform_canonical_vertices_to_posed_ones(flame):
    head = parameters(expression=1.0, pose=0.2)
    posed, fields = flame(head), flame.vertex_fields()
    offset = torch.einsum("vke,e->vk", fields.shapedirs, head.expression[0])
    offset = offset + torch.einsum("vfk,f->vk", fields.posedirs, posed.pose_feature[0])
    blended = torch.einsum("vj,jab->vab", fields.weights, posed.bone_transforms[0])
    vertices = torch.einsum("vab,vb->va", blended[:, :3, :3], flame.v_template + offset) + blended[:, :3, 3]
    torch.testing.assert_close(vertices, flame.vertices(head)[0], atol=1e-9, rtol=0)


@pytest.mark.skipif(not PARITY.exists(), reason="the authors' outputs (shared/data/parity) are not here")
def test_outputs_equal_those_of_the_authors_implementation():
    state = torch.load(PARITY / "reference_checkpoint.pth", map_location="cpu", weights_only=True)
    state = state["model_state_dict"]
    assets = load_head(PARITY / "head_model.npz")
    flame = Flame(assets, torch.zeros(100))
    names = [name for name, _ in flame.named_buffers()]
    assert {f"FLAMEServer.{name}" for name in names} == {n for n in state if n.startswith("FLAMEServer.")}
    for name in names:
        assert state[f"FLAMEServer.{name}"].shape == getattr(flame, name).shape
        if name != "v_template":  # the subject's shape is folded in there
            ours = getattr(flame, name)
            torch.testing.assert_close(ours, state[f"FLAMEServer.{name}"].to(ours.dtype))
