"""The animatable avatar: what is needed to pose it and to look at it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.head.flame import Flame
from imavatar.types import HeadParameters, PosedHead


@dataclass(frozen=True)
class Character:
    """The learned fields, the head model that drives them, and the latent code that they are shown with.

    `avatar` is a `rendering.avatar.Avatar`, or what a baseline has in its place. `latent` [1, l] is zero wide where
    training had no latent codes; otherwise it is the first training frame's.
    """

    avatar: nn.Module
    flame: Flame
    latent: Float[Tensor, "1 l"]

    @property
    def device(self) -> torch.device:
        """Where the fields and the head model are."""
        return self.flame.v_template.device

    def pose(self, head: HeadParameters) -> PosedHead:
        """Frames as the fields need them, one a row, of parameters on any device; differentiable in these."""
        return self.flame(head.to(self.device), self.latent.expand(len(head), -1))
