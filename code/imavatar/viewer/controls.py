"""Sliders and what they do to a head: expressions by name, joints, single coefficients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.anatomy import POSE_SIZE, Joint, pose_slice
from imavatar.types import HeadParameters

N_COMPONENTS = 10
"""Sliders of single coefficients, of the first ones: those that move the face most."""
LARGEST_COMPONENT = 3.0
"""Standard deviations."""


@dataclass(frozen=True)
class Control:
    """A slider from `low` to `high` and what its value is multiplied with: a direction of expression and pose."""

    folder: str
    label: str
    low: float
    high: float
    expression: Mapping[int, float] | Float[np.ndarray, " e"] = field(default_factory=dict)
    pose: Mapping[int, float] = field(default_factory=dict)


def controls_of(
    n_expression: int,
    named: Mapping[str, Float[np.ndarray, " e"]],
    units: Mapping[str, Float[np.ndarray, " e"]],
) -> list[Control]:
    """The controls of a head model: its named expressions, the joints, its face units, single coefficients.

    Args:
        named: coefficients of expressions at full strength.
        units: those of ARKit's face units.
    """
    controls = [Control("expression", name, 0.0, 1.0, vector[:n_expression]) for name, vector in named.items()]
    controls += _joints()
    controls += [Control("face units", name, 0.0, 1.0, vector[:n_expression]) for name, vector in units.items()]
    controls += [
        Control("coefficients", f"expression_{k:02d}", -LARGEST_COMPONENT, LARGEST_COMPONENT, {k: 1.0})
        for k in range(min(n_expression, N_COMPONENTS))
    ]
    return controls


def _joints() -> list[Control]:
    """Radians; axes x to the subject's left, y up, z to the front."""
    jaw, neck = pose_slice(Joint.JAW).start, pose_slice(Joint.NECK).start
    eyes = [pose_slice(joint).start for joint in (Joint.LEFT_EYE, Joint.RIGHT_EYE)]
    return [
        Control("pose", "jaw open", 0.0, 0.5, pose={jaw: 1.0}),
        Control("pose", "jaw sideways", -0.15, 0.15, pose={jaw + 1: 1.0}),
        Control("pose", "neck down / up", -0.6, 0.6, pose={neck: -1.0}),
        Control("pose", "neck turn", -0.8, 0.8, pose={neck + 1: 1.0}),
        Control("pose", "neck tilt", -0.5, 0.5, pose={neck + 2: 1.0}),
        Control("pose", "eyes down / up", -0.35, 0.35, pose=dict.fromkeys(eyes, -1.0)),
        Control("pose", "eyes turn", -0.5, 0.5, pose={eye + 1: 1.0 for eye in eyes}),
    ]


def head_of(controls: Sequence[Control], values: Sequence[float], base: HeadParameters) -> HeadParameters:
    """A head (one row) moved from `base` by the controls' values; those that are not finite move nothing."""
    expression, pose = base.expression.clone(), base.pose.clone()
    for control, value in zip(controls, values, strict=True):
        if value and math.isfinite(value):
            expression[0] += value * _vector(control.expression, expression.shape[1])
            pose[0] += value * _vector(control.pose, POSE_SIZE)
    return HeadParameters(expression, pose)


def _vector(direction: Mapping[int, float] | np.ndarray, size: int) -> Float[Tensor, " n"]:
    if isinstance(direction, Mapping):
        vector = torch.zeros(size)
        for index, value in direction.items():
            vector[index] = value
        return vector
    return torch.as_tensor(np.asarray(direction), dtype=torch.float32)
