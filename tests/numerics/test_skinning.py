"""Forward kinematics and linear blend skinning."""

import torch

from imavatar.anatomy import JOINT_PARENTS
from imavatar.numerics.linalg import transform_points
from imavatar.numerics.rotations import axis_angle_to_matrix
from imavatar.numerics.skinning import blend_transforms, kinematic_transforms
from oracles_fields import normal, points, posed_head

JOINTS = points(5, 3)[None]


def transforms(vectors):
    return kinematic_transforms(axis_angle_to_matrix(vectors)[None], JOINTS, JOINT_PARENTS)[0]


def test_the_rest_pose_leaves_every_point_where_it_is():
    torch.testing.assert_close(
        transforms(torch.zeros(5, 3, dtype=torch.float64)), torch.eye(4).double().expand(5, 4, 4)
    )


def test_a_bone_turns_about_its_own_joint_and_takes_no_other_along_but_its_children():
    vectors = torch.zeros(5, 3, dtype=torch.float64)
    vectors[2] = torch.tensor([0.5, -0.1, 0.3])  # the jaw, which has no children
    moved = transforms(vectors)
    joint = JOINTS[0, 2]
    torch.testing.assert_close(transform_points(moved[2], joint), joint)
    torch.testing.assert_close(moved[2, :3, :3], axis_angle_to_matrix(vectors[2]))
    torch.testing.assert_close(moved[[0, 1, 3, 4]], torch.eye(4).double().expand(4, 4, 4))


def test_a_child_follows_its_parent():
    vectors = torch.zeros(5, 3, dtype=torch.float64)
    vectors[1] = torch.tensor([0.2, 0.4, -0.3])  # the neck, parent of the jaw and the eyes
    moved = transforms(vectors)
    torch.testing.assert_close(moved[2:], moved[1].expand(3, 4, 4))
    torch.testing.assert_close(moved[0], torch.eye(4).double())


def test_a_chain_turns_the_child_in_the_parents_frame():
    vectors = 0.4 * normal(5, 3, seed=1)
    turns, moved = axis_angle_to_matrix(vectors), transforms(vectors)
    torch.testing.assert_close(moved[2, :3, :3], turns[0] @ turns[1] @ turns[2])
    # The jaw's joint is a point of the neck's bone, and the neck's of the root's.
    for child, parent in ((2, 1), (1, 0)):
        joint = JOINTS[0, child]
        torch.testing.assert_close(transform_points(moved[child], joint), transform_points(moved[parent], joint))


def test_a_one_hot_weight_picks_that_bones_transform():
    bones = posed_head().bone_transforms[0]
    torch.testing.assert_close(blend_transforms(torch.eye(5).double(), bones), bones)


def test_blending_is_the_weighted_sum():
    bones, weights = posed_head().bone_transforms[0], torch.softmax(normal(6, 5, seed=2), dim=-1)
    expected = (weights[:, :, None, None] * bones).sum(dim=1)
    torch.testing.assert_close(blend_transforms(weights, bones), expected)
