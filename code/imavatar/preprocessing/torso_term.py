"""The body in the fit: it moves and leans in the image as its clothes do."""

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.preprocessing.torso_motion import TorsoMotions

SCALE = 1.0
"""Hundredths of the face's height from which on a difference counts less and less."""


class TorsoTerm:
    """Robust mean of how far the body moves otherwise in the image than the clothes do.

    Args:
        motions: of the clothes.
        unit: pixels that count as one, of each frame.
    """

    def __init__(self, motions: TorsoMotions, unit: Float[Tensor, " n"]):
        self._place, self._reach = torch.as_tensor(motions.place, device=unit.device), motions.reach
        self._unit, self._pivot = unit, unit.new_tensor(motions.pivot)
        self._weight, self._certain = unit.new_tensor(motions.found), unit.new_tensor(motions.certain)
        self._motion = unit.new_tensor(motions.motion)

    def __call__(self, root: Float[Tensor, "n 2"], turn: Float[Tensor, " n"]) -> Float[Tensor, ""]:
        """0 where the body moves as the clothes do.

        Args:
            root: of the body in the image, continuous pixels.
            turn: of the body in the image, from right to down, radians.
        """
        usual = self._mean(root)
        observed = self._motion[:, 2] / self._reach
        # The root lies beside the pivot, about which the clothes turn.
        aside = usual - self._pivot
        cos, sin = observed.cos() - 1, observed.sin()
        turned = torch.stack([cos * aside[:, 0] - sin * aside[:, 1], sin * aside[:, 0] + cos * aside[:, 1]], dim=1)
        expected = self._motion[:, :2] + turned
        moved = torch.cat([root, self._reach * turn[:, None]], dim=1)
        expected = torch.cat([expected, self._motion[:, 2:]], dim=1)
        off = (moved - self._mean(moved)) - (expected - self._mean(expected))
        off = torch.einsum("nij,nj->ni", self._certain, off)
        robust = SCALE**2 * (1 + off.square().sum(dim=1) / (SCALE * self._unit).square()).log()
        return (self._weight * robust).sum() / self._weight.sum().clamp(min=1)

    def _mean(self, values: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Over all frames of the same place, for each of them."""
        n, k = values.shape
        weight = self._weight[:, None]
        total = values.new_zeros(n, k).index_add(0, self._place, weight * values)
        count = values.new_zeros(n, 1).index_add(0, self._place, weight)
        return (total / count.clamp(min=1))[self._place]
