"""The methods by name, as `model.method` has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from imavatar.baselines.deformations import DisplacementWarp, MorphWarp, StillWarp
from imavatar.baselines.head_space import HeadSpaceAvatar
from imavatar.baselines.names import IMAVATAR
from imavatar.fields.deformer import Deformer
from imavatar.rendering.avatar import Avatar
from imavatar.types import PosedHead


class SkinningDeformer(Deformer):
    """Fwd-Skin's: a `Deformer` without blendshapes and pose correctives, which are zero and stay so."""

    def __init__(self, canonical: PosedHead, widths: Sequence[int] = (128,) * 4, **options: Any):
        super().__init__(canonical, widths, **options)
        self.blendshapes.requires_grad_(False)


@dataclass(frozen=True)
class Method:
    """What differs between methods.

    Args:
        avatar: how a frame's surface is found and shaded.
        deformer: the network that relates canonical space to frames.
        conditions_geometry: the signed distance depends on the frame's expression and pose.
        has_fields: the deformer has blendshapes, correctives and skinning weights.
    """

    avatar: type[Avatar] = Avatar
    deformer: type[nn.Module] = Deformer
    conditions_geometry: bool = False
    has_fields: bool = True


METHODS = {
    IMAVATAR: Method(),
    "C-Net": Method(HeadSpaceAvatar, StillWarp, conditions_geometry=True, has_fields=False),
    "D-Net": Method(HeadSpaceAvatar, DisplacementWarp, has_fields=False),
    "B-Morph": Method(HeadSpaceAvatar, MorphWarp),
    "Fwd-Skin": Method(Avatar, SkinningDeformer, conditions_geometry=True),
}
