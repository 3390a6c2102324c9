"""ARKit's face units, as face-capture apps send them: expressions of the head model, or joints that turn."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float

from imavatar.baking.baked import BakedAvatar
from imavatar.head.flame import Flame
from imavatar.motion.coefficients import joint_unit_poses
from imavatar.types import HeadParameters


def expression_shapes(
    baked: BakedAvatar, coefficients: Mapping[str, Float[np.ndarray, " e"]]
) -> dict[str, Float[np.ndarray, "v 3"]]:
    """Offsets (metres) of expressions; coefficients beyond the mesh's targets are left out."""
    n = len(baked.expression)
    return {name: np.tensordot(vector[:n], baked.expression[: len(vector)], 1) for name, vector in coefficients.items()}


@torch.no_grad()
def arkit_shapes(
    baked: BakedAvatar, flame: Flame, face_units: Mapping[str, Float[np.ndarray, " e"]]
) -> dict[str, Float[np.ndarray, "v 3"]]:
    """Offsets (metres) of the units at full strength, by ARKit's names.

    Those of joints are the straight way of every vertex: exact at full strength and at rest, and in between off by
    at most an eighth of the squared angle times the distance from the joint.

    Args:
        face_units: coefficients of the head model's units, as `expression_shapes` takes them.
    """
    shapes = expression_shapes(baked, face_units)
    neutral = torch.zeros(1, flame.n_expression)
    for name, pose in joint_unit_poses().items():
        posed = flame(HeadParameters(neutral, pose[None]).to(flame.v_template.device))
        shapes[name] = baked.vertices_in(posed) - baked.vertices
    return shapes
