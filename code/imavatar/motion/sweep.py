"""The built-in motion: a sweep through expressions and poses."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.anatomy import POSE_SIZE, Joint, pose_slice
from imavatar.types import HeadParameters

JAW_ANGLE = 0.35
HEAD_ANGLE = 0.35
GAZE_YAW = 0.3
GAZE_PITCH = 0.2
COMPONENT_SIZE = 2.0
"""How far principal components are moved, in standard deviations, where no expressions have names."""
N_COMPONENTS = 4
N_MIXED = 4
"""How many expressions the last, mixed part blends."""

MIXED_STRENGTH = 0.5
MOST_NAMED = 8
"""More named expressions than this would make each too short to see; the first ones are shown."""

RAMP = 0.35
"""Share of a part in which a plateau is reached, and left."""
X_AXIS, Y_AXIS = 0, 1

Coefficients = Float[np.ndarray, " e"] | Float[Tensor, " e"]
Turn = tuple[Joint, int, Float[Tensor, " n"]]
"""A joint, an axis, and angles about it."""
Part = Callable[[Float[Tensor, " n"]], tuple[Float[Tensor, "n e"] | float, list[Turn]]]
"""Times in [0, 1] to coefficients and turns, which are zero at both ends."""


def sweep_motion(
    n_expression: int,
    named_expressions: Mapping[str, Coefficients] | None = None,
    *,
    seed: int = 0,
    n_frames: int = 250,
) -> HeadParameters:
    """Jaw, expressions, head turn, gaze and a seeded mixture, one after the other, n_frames in all.

    Each part starts and ends in the neutral head with no velocity, so the whole is smooth and can be played in a loop.

    Args:
        named_expressions: coefficients of single expressions, of which the first n_expression are used. Without
            them the first principal components are swept to both sides.
    """
    if n_frames < 1:
        raise ValueError(f"a motion has at least one frame, not {n_frames}")
    directions = _expression_directions(n_expression, named_expressions)
    strength = plateau if named_expressions else swing
    parts: list[Part] = [_jaw]
    parts += [lambda t, d=d: (strength(t)[:, None] * d, []) for d in directions]
    parts += [_head_turn, _gaze, _mixture(directions, torch.Generator().manual_seed(seed))]

    time = torch.linspace(0, len(parts), n_frames)
    part_index = time.floor().long().clamp(max=len(parts) - 1)
    expression = torch.zeros(n_frames, n_expression)
    pose = torch.zeros(n_frames, POSE_SIZE)
    for index, part in enumerate(parts):
        rows = part_index == index
        expression[rows], turns = part(time[rows] - index)
        for joint, axis, angle in turns:
            pose[rows, pose_slice(joint).start + axis] = angle
    return HeadParameters(expression, pose)


def _expression_directions(n_expression: int, named: Mapping[str, Coefficients] | None) -> list[Float[Tensor, " n"]]:
    """The expressions that are shown one by one."""
    if not named:
        return list(COMPONENT_SIZE * torch.eye(n_expression)[:N_COMPONENTS])
    short = [name for name, value in named.items() if len(value) < n_expression]
    if short:
        raise ValueError(f"expression {short[0]} has {len(named[short[0]])} coefficients, not {n_expression}")
    chosen = list(named.values())[:MOST_NAMED]
    return [torch.as_tensor(value, dtype=torch.float32)[:n_expression] for value in chosen]


def _jaw(t: Float[Tensor, " n"]) -> tuple[float, list[Turn]]:
    """Opens twice."""
    return 0.0, [(Joint.JAW, X_AXIS, JAW_ANGLE * (2 * math.pi * t).sin().square())]


def _head_turn(t: Float[Tensor, " n"]) -> tuple[float, list[Turn]]:
    """To one side and to the other, by the neck."""
    return 0.0, [(Joint.NECK, Y_AXIS, HEAD_ANGLE * swing(t))]


def _gaze(t: Float[Tensor, " n"]) -> tuple[float, list[Turn]]:
    """Both eyes left and right, then up and down."""
    yaw = GAZE_YAW * swing((2 * t).clamp(max=1))
    pitch = GAZE_PITCH * swing((2 * t - 1).clamp(min=0))
    return 0.0, [(eye, *turn) for eye in (Joint.LEFT_EYE, Joint.RIGHT_EYE) for turn in ((Y_AXIS, yaw), (X_AXIS, pitch))]


def _mixture(directions: list[Float[Tensor, " e"]], generator: torch.Generator) -> Part:
    """Expressions that come and go with their own frequencies, while the jaw moves as in speech."""
    order = torch.randperm(len(directions), generator=generator)[:N_MIXED]
    mixed = torch.stack(directions)[order]
    cycles = 0.5 + torch.rand(len(mixed), generator=generator)
    phases = 2 * math.pi * torch.rand(len(mixed), generator=generator)

    def part(t: Float[Tensor, " n"]) -> tuple[Float[Tensor, "n e"], list[Turn]]:
        envelope = plateau(t)
        # At most MIXED_STRENGTH: several full expressions at once would be a grimace.
        weights = MIXED_STRENGTH * (0.5 + 0.5 * (2 * math.pi * cycles * t[:, None] + phases).sin())
        angle = 0.5 * JAW_ANGLE * envelope * (3 * math.pi * t).sin().square()
        return envelope[:, None] * (weights @ mixed), [(Joint.JAW, X_AXIS, angle)]

    return part


def smoothstep(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """From 0 to 1 over [0, 1], without velocity at either end."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def plateau(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Up to 1, stays, and back to 0 at t = 1."""
    return smoothstep(t / RAMP) * smoothstep((1 - t) / RAMP)


def swing(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """To 1, through 0 to -1, and back to 0, without velocity at the ends."""
    return (2 * math.pi * smoothstep(t)).sin()
