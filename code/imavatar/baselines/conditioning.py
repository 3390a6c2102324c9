"""A head whose latent code says all of a frame's expression and pose: what networks are conditioned on."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.anatomy import POSE_FEATURE_SIZE
from imavatar.head.flame import Flame
from imavatar.types import HeadParameters, PosedHead


def condition_size(n_expression: int) -> int:
    """Numbers of an expression and of the pose feature."""
    return n_expression + POSE_FEATURE_SIZE


class ConditionedFlame(Flame):
    """A `Flame` whose frames have expression and pose feature (docs/method.md, section 1) after their latent code."""

    def forward(self, head: HeadParameters, latent: Float[Tensor, "b l"] | None = None) -> PosedHead:
        """As `Flame.forward`."""
        posed = super().forward(head, latent)
        return replace(posed, latent=torch.cat([posed.latent, posed.expression, posed.pose_feature], dim=-1))
