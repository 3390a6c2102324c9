"""Names of what moves a head: expressions, ARKit's units, joints and their axes."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import POSE_SIZE, Joint, pose_slice
from imavatar.motion.sweep import GAZE_PITCH, GAZE_YAW, JAW_ANGLE
from imavatar.types import HeadParameters

AXES = "xyz"
HEAD_TURNS = {"headpitch": 0, "headyaw": 1, "headroll": 2}
"""Columns of face-capture apps, radians: axes of the neck's rotation."""
COEFFICIENT = "expression_"
MOST_DIGITS = 9

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
    poses = {name: torch.zeros(POSE_SIZE) for name in JOINT_UNITS}
    for name, (joint, turn) in JOINT_UNITS.items():
        poses[name][pose_slice(joint)] = torch.tensor(turn)
    return poses


def coefficient_directions(
    n_expression: int, named: Mapping[str, Float[np.ndarray, " e"]] | None = None
) -> Callable[[str], HeadParameters | None]:
    """How one unit of a named coefficient moves a head (one row); None for names that are not known.

    Known are, whatever the case:

    - `expression_00`, `expression_01`, ...: single coefficients;
    - names of the head model's expressions, as ARKit's `mouthSmileLeft`;
    - ARKit's units that turn a joint, as `jawOpen` and `eyeLookInLeft`;
    - `<joint>_<axis>`, as `jaw_x`, and `headPitch`, `headYaw`, `headRoll` for the neck: axis-angle, radians.

    Args:
        named: coefficients of the head model's expressions at full strength, of which the first n_expression are used.
    """
    known = {name.lower(): torch.as_tensor(np.asarray(v), dtype=torch.float32) for name, v in (named or {}).items()}
    turns = {name.lower(): turn for name, turn in joint_unit_poses().items()}

    def direction(name: str) -> HeadParameters | None:
        key = name.strip().lower()
        expression, pose = torch.zeros(1, n_expression), torch.zeros(1, POSE_SIZE)
        index = key.removeprefix(COEFFICIENT)
        joint, _, axis = key.rpartition("_")
        if key.startswith(COEFFICIENT) and is_whole(index) and int(index) < n_expression:
            expression[0, int(index)] = 1.0
        elif key in known:
            vector = known[key][:n_expression]
            expression[0, : len(vector)] = vector
        elif key in turns:
            pose[0] = turns[key]
        elif key in HEAD_TURNS:
            pose[0, pose_slice(Joint.NECK).start + HEAD_TURNS[key]] = 1.0
        elif axis in tuple(AXES) and joint.upper() in Joint.__members__:
            pose[0, pose_slice(Joint[joint.upper()]).start + AXES.index(axis)] = 1.0
        else:
            return None
        return HeadParameters(expression, pose)

    return direction


def is_whole(text: str) -> bool:
    """Whether text is a whole number as `int` reads it; `isdigit` takes a superscript for one."""
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
