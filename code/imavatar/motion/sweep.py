"""The built-in motion: a sweep through expressions and poses."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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

X_AXIS, Y_AXIS = 0, 1

Coefficients = Float[np.ndarray, " e"] | Float[Tensor, " e"]
Part = Callable[[Float[Tensor, " n"]], HeadParameters]


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
    sweep = _Sweep(n_expression)
    parts: list[Part] = [sweep.jaw]
    two_sided = not named_expressions
    parts += [lambda t, d=d: sweep.expression(t, d, two_sided) for d in directions]
    parts += [sweep.head_turn, sweep.gaze]
    generator = torch.Generator().manual_seed(seed)
    mixture = _Mixture.drawn(directions, generator)
    parts.append(lambda t: sweep.mixture(t, mixture))

    time = torch.linspace(0, len(parts), n_frames)
    part_index = time.floor().long().clamp(max=len(parts) - 1)
    expression = torch.zeros(n_frames, n_expression)
    pose = torch.zeros(n_frames, POSE_SIZE)
    for index, part in enumerate(parts):
        rows = part_index == index
        moved = part(time[rows] - index)
        expression[rows], pose[rows] = moved.expression, moved.pose
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


@dataclass(frozen=True)
class _Mixture:
    """Expressions that come and go with their own frequencies, while the jaw moves as in speech."""

    directions: Float[Tensor, "k e"]
    cycles: Float[Tensor, " k"]
    phases: Float[Tensor, " k"]

    @classmethod
    def drawn(cls, directions: list[Float[Tensor, " e"]], generator: torch.Generator):
        order = torch.randperm(len(directions), generator=generator)[:N_MIXED]
        stacked = torch.stack(directions)[order]
        n = len(stacked)
        cycles = 0.5 + torch.rand(n, generator=generator)
        return cls(stacked, cycles, 2 * math.pi * torch.rand(n, generator=generator))

    def weights(self, t: Float[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """Between 0 and MIXED_STRENGTH: several full expressions at once would be a grimace."""
        angle = 2 * math.pi * self.cycles * t[:, None] + self.phases
        return MIXED_STRENGTH * (0.5 + 0.5 * angle.sin())


class _Sweep:
    """The parts of the sweep: time in [0, 1] to head parameters, neutral at both ends."""

    def __init__(self, n_expression: int):
        self.n_expression = n_expression

    def _head(
        self,
        t: Float[Tensor, " n"],
        expression: Float[Tensor, "n e"] | None = None,
        joints: Sequence[tuple[Joint, int, Float[Tensor, " n"]]] = (),
    ) -> HeadParameters:
        """Head parameters from coefficients and (joint, axis, angle) triples."""
        pose = torch.zeros(len(t), POSE_SIZE)
        for joint, axis, angle in joints:
            pose[:, pose_slice(joint).start + axis] = angle
        if expression is None:
            expression = torch.zeros(len(t), self.n_expression)
        return HeadParameters(expression, pose)

    def jaw(self, t: Float[Tensor, " n"]) -> HeadParameters:
        """Opens twice."""
        angle = JAW_ANGLE * (2 * math.pi * t).sin().square()
        return self._head(t, joints=[(Joint.JAW, X_AXIS, angle)])

    def expression(self, t: Float[Tensor, " n"], direction: Float[Tensor, " e"], two_sided: bool) -> HeadParameters:
        """Eases in, stays, eases out; or goes to both sides."""
        strength = swing(t) if two_sided else plateau(t)
        return self._head(t, strength[:, None] * direction)

    def head_turn(self, t: Float[Tensor, " n"]) -> HeadParameters:
        """To one side and to the other, by the neck."""
        return self._head(t, joints=[(Joint.NECK, Y_AXIS, HEAD_ANGLE * swing(t))])

    def gaze(self, t: Float[Tensor, " n"]) -> HeadParameters:
        """Both eyes left and right, then up and down."""
        yaw = GAZE_YAW * swing((2 * t).clamp(max=1))
        pitch = GAZE_PITCH * swing((2 * t - 1).clamp(min=0))
        eyes = (Joint.LEFT_EYE, Joint.RIGHT_EYE)
        moves = [(eye, Y_AXIS, yaw) for eye in eyes] + [(eye, X_AXIS, pitch) for eye in eyes]
        return self._head(t, joints=moves)

    def mixture(self, t: Float[Tensor, " n"], mixture: _Mixture) -> HeadParameters:
        """Blended expressions under a moving jaw."""
        envelope = plateau(t)
        expression = envelope[:, None] * (mixture.weights(t) @ mixture.directions)
        angle = 0.5 * JAW_ANGLE * envelope * (3 * math.pi * t).sin().square()
        return self._head(t, expression, [(Joint.JAW, X_AXIS, angle)])


def smoothstep(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """From 0 to 1 over [0, 1], without velocity at either end."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def plateau(t: Float[Tensor, " n"], ramp: float = 0.35) -> Float[Tensor, " n"]:
    """Up to 1, stays, and back to 0 at t = 1."""
    return smoothstep(t / ramp) * smoothstep((1 - t) / ramp)


def swing(t: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """To 1, through 0 to -1, and back to 0, without velocity at the ends."""
    return (2 * math.pi * smoothstep(t)).sin()
