"""A small part of two images, cut out and enlarged, so that metrics of whole images see it and nothing else."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.evaluation.metrics import SSIM_WINDOW

SHORTER_SIDE = 64
"""Pixels that the shorter side of an enlarged part has at least."""


@dataclass(frozen=True)
class CloseUp:
    """The box of a region in two images with colours in [0, 1], which are equal outside of the region.

    The box is wider than the region by half an SSIM window, as far as the images reach. `tight` is the region's own box
    in it: rows, then columns.
    """

    image: Float[Tensor, "h w 3"]
    truth: Float[Tensor, "h w 3"]
    region: Bool[Tensor, "h w"]
    tight: tuple[slice, slice]

    @classmethod
    def of(cls, image: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"], region: Bool[Tensor, "h w"]) -> "CloseUp":
        """Cut out a region that has pixels."""
        margin, wide, tight = SSIM_WINDOW // 2, [], []
        for size, used in ((region.shape[0], region.any(dim=1)), (region.shape[1], region.any(dim=0))):
            first, last = (int(used.nonzero()[k]) for k in (0, -1))
            start, stop = max(0, first - margin), min(size, last + 1 + margin)
            wide.append(slice(start, stop))
            tight.append(slice(first - start, last + 1 - start))
        image, truth, region = (part[wide[0], wide[1]] for part in (image, truth, region))
        return cls(torch.where(region[..., None], image, truth), truth, region, (tight[0], tight[1]))

    def enlarged(self) -> tuple[Float[Tensor, "h2 w2 3"], Float[Tensor, "h2 w2 3"]]:
        """The region's own box in both images, bilinearly enlarged to a shorter side of SHORTER_SIDE; larger ones stay
        as they are.
        """
        first, second = self.image[self.tight], self.truth[self.tight]
        height, width = first.shape[:2]
        scale = SHORTER_SIDE / min(height, width)
        if scale <= 1:
            return first, second
        size = (round(height * scale), round(width * scale))
        both = torch.stack([first, second]).permute(0, 3, 1, 2)
        large = F.interpolate(both, size=size, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        return large[0], large[1]
