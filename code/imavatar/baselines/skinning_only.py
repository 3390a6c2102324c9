"""The deformer of Fwd-Skin: bones alone move the canonical surface."""

from collections.abc import Sequence
from typing import Any

from imavatar.fields.deformer import Deformer
from imavatar.types import PosedHead


class SkinningDeformer(Deformer):
    """A `Deformer` without blendshapes and pose correctives: they are zero and stay so."""

    def __init__(self, canonical: PosedHead, widths: Sequence[int] = (128,) * 4, **options: Any):
        super().__init__(canonical, widths, **options)
        self.blendshapes.requires_grad_(False)
