"""ARKit's face units, as face-capture apps send them: expressions of the head model, or joints that turn."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import POSE_SIZE, Joint, pose_slice
from imavatar.baking.baked import BakedAvatar
from imavatar.export.motion import GAZE_PITCH, GAZE_YAW, JAW_ANGLE
from imavatar.head.flame import Flame
from imavatar.types import HeadParameters

JAW_SIDE = 0.07
"""Radians: MakeHuman's own unit moves the lower teeth as far to the side, 7 mm."""

JOINT_UNITS: dict[str, tuple[Joint, tuple[float, float, float]]] = {
    "jawOpen": (Joint.JAW, (JAW_ANGLE, 0.0, 0.0)),
    "jawLeft": (Joint.JAW, (0.0, JAW_SIDE, 0.0)),
    "jawRight": (Joint.JAW, (0.0, -JAW_SIDE, 0.0)),
    "eyeLookDownLeft": (Joint.LEFT_EYE, (GAZE_PITCH, 0.0, 0.0)),
    "eyeLookUpLeft": (Joint.LEFT_EYE, (-GAZE_PITCH, 0.0, 0.0)),
    "eyeLookOutLeft": (Joint.LEFT_EYE, (0.0, GAZE_YAW, 0.0)),
    "eyeLookInLeft": (Joint.LEFT_EYE, (0.0, -GAZE_YAW, 0.0)),
    "eyeLookDownRight": (Joint.RIGHT_EYE, (GAZE_PITCH, 0.0, 0.0)),
    "eyeLookUpRight": (Joint.RIGHT_EYE, (-GAZE_PITCH, 0.0, 0.0)),
    "eyeLookOutRight": (Joint.RIGHT_EYE, (0.0, -GAZE_YAW, 0.0)),
    "eyeLookInRight": (Joint.RIGHT_EYE, (0.0, GAZE_YAW, 0.0)),
}
"""Joint and axis-angle of the units that are no expressions: x to the subject's left, y up, z to the front."""


def joint_unit_poses() -> dict[str, Float[torch.Tensor, " 15"]]:
    """Poses of the units that turn a joint, at full strength."""
    poses = {}
    for name, (joint, turn) in JOINT_UNITS.items():
        pose = torch.zeros(POSE_SIZE)
        pose[pose_slice(joint)] = torch.tensor(turn)
        poses[name] = pose
    return poses


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
