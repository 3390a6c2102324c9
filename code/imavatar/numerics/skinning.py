"""Linear blend skinning of any points: vertices of a mesh as well as samples of a field."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.numerics.linalg import matvec, rigid_transform


def kinematic_transforms(
    rotations: Float[Tensor, "b j 3 3"], joints: Float[Tensor, "b j 3"], parents: Sequence[int]
) -> Float[Tensor, "b j 4 4"]:
    """Transforms of the joints relative to the rest pose, by forward kinematics.

    Args:
        rotations: of each joint in its parent's frame.
        joints: rest positions, in the length unit of the points that will be skinned.
        parents: index of each joint's parent, smaller than its own; negative for a root.
    """
    world = []
    for joint, parent in enumerate(parents):
        offset = joints[:, joint] - (joints[:, parent] if parent >= 0 else 0.0)
        local = rigid_transform(rotations[:, joint], offset)
        world.append(local if parent < 0 else world[parent] @ local)
    transforms = torch.stack(world, dim=1)
    moved = matvec(transforms[..., :3, :3], joints)
    return rigid_transform(transforms[..., :3, :3], transforms[..., :3, 3] - moved)


def blend_transforms(weights: Float[Tensor, "*n j"], transforms: Float[Tensor, "j 4 4"]) -> Float[Tensor, "*n 4 4"]:
    """Sum over bones of weight times transform."""
    return (weights @ transforms.flatten(start_dim=1)).unflatten(-1, (4, 4))
