"""Sliders and what they do to a head: expressions by name, joints, single coefficients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.anatomy import POSE_SIZE, pose_slice
from imavatar.head.joint_sliders import JOINT_SLIDERS, LARGEST_COEFFICIENT, N_COEFFICIENTS
from imavatar.types import HeadParameters


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
    n_expression: int, named: Mapping[str, Float[np.ndarray, " e"]], units: Mapping[str, Float[np.ndarray, " e"]]
) -> list[Control]:
    """The controls of a head model: its named expressions, the joints, its face units, single coefficients.

    Args:
        named: coefficients of expressions at full strength.
        units: those of ARKit's face units.
    """
    controls = [Control("expression", name, 0.0, 1.0, vector[:n_expression]) for name, vector in named.items()]
    for slider in JOINT_SLIDERS:
        pose = {pose_slice(joint).start + axis: factor for joint, axis, factor in slider.turns}
        controls.append(Control("pose", slider.label, slider.low, slider.high, pose=pose))
    controls += [Control("face units", name, 0.0, 1.0, vector[:n_expression]) for name, vector in units.items()]
    controls += [
        Control("coefficients", f"expression_{k:02d}", -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT, {k: 1.0})
        for k in range(min(n_expression, N_COEFFICIENTS))
    ]
    return controls


def head_of(controls: Sequence[Control], values: Sequence[float], base: HeadParameters) -> HeadParameters:
    """A head (one row) moved from `base` by the controls' values; those that are not finite move nothing."""
    expression, pose = base.expression.clone(), base.pose.clone()
    for control, value in zip(controls, values, strict=True):
        if value and math.isfinite(value):
            expression[0] += value * _vector(control.expression, expression.shape[1])
            pose[0] += value * _vector(control.pose, POSE_SIZE)
    return HeadParameters(expression, pose)


def _vector(direction: Mapping[int, float] | Float[np.ndarray, " e"], size: int) -> Float[Tensor, " n"]:
    if isinstance(direction, Mapping):
        vector = torch.zeros(size)
        for index, value in direction.items():
            vector[index] = value
        return vector
    return torch.as_tensor(np.asarray(direction), dtype=torch.float32)
