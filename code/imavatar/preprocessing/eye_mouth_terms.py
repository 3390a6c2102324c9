"""What the tracker compares besides landmarks: how far lids and lips are open, and where irises lie between lids."""

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.head.apertures import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS
from imavatar.head.landmarks import N_LANDMARKS
from imavatar.head.mesh_points import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

LIDS, LIPS = (torch.tensor(pairs) for pairs in ((*RIGHT_LIDS, *LEFT_LIDS), INNER_LIPS))
CORNERS = torch.tensor([RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS])


class EyeMouthTerms:
    """Robust means of differences between relative positions, in hundredths of the face's height.

    A landmark's own bias counts against it in every frame; between the upper and the lower one, and between an iris and
    the corners of its eye, most of it cancels.

    Args:
        points: detected landmarks and irises, pixels.
        iris_weight: 0 where an eye is closed.
        unit: pixels that count as one, of each frame.
        lid_gain: which share the detector sees of how far lids close.
    """

    def __init__(
        self,
        points: Float[Tensor, "n 470 2"],
        iris_weight: Float[Tensor, "n 2"],
        unit: Float[Tensor, " n"],
        lid_gain: float = 1.0,
    ):
        self._lid_gain = lid_gain
        self._pairs = LIDS.to(points.device), LIPS.to(points.device)
        self._lids, self._lips = (_apart(points, pairs) for pairs in self._pairs)
        self._irises = _from_corners(points)
        self._iris_weight, self._unit = iris_weight, unit[:, None, None]

    def lids(self, points: Float[Tensor, "n 470 2"]) -> Float[Tensor, ""]:
        """Of the distances between lids."""
        return self._robust(self._lid_gain * _apart(points, self._pairs[0]) - self._lids).mean()

    def lips(self, points: Float[Tensor, "n 470 2"]) -> Float[Tensor, ""]:
        """Of the distances between lips."""
        return self._robust(_apart(points, self._pairs[1]) - self._lips).mean()

    def irises(self, points: Float[Tensor, "n 470 2"]) -> Float[Tensor, ""]:
        """Of the irises' places between the corners of the eyes."""
        return (self._iris_weight * self._robust(_from_corners(points) - self._irises)).mean()

    def _robust(self, difference: Float[Tensor, "n k 2"]) -> Float[Tensor, "n k"]:
        return (1 + (difference / self._unit).square().sum(dim=-1)).sqrt() - 1


def _apart(points: Float[Tensor, "n 470 2"], pairs: Tensor) -> Float[Tensor, "n k 2"]:
    return points[:, pairs[:, 0]] - points[:, pairs[:, 1]]


def _from_corners(points: Float[Tensor, "n 470 2"]) -> Float[Tensor, "n 2 2"]:
    return points[:, N_LANDMARKS:] - points[:, CORNERS].mean(dim=2)
