"""How well a surface search agrees with the paper's on one frame."""

from dataclasses import dataclass

import torch

from imavatar.rendering.avatar import Avatar, Search
from imavatar.rendering.camera import cast_rays, pixel_grid
from imavatar.types import PosedHead, View

SAME_DEPTH = 1e-3
"""Model units (a quarter of a millimetre): closer depths are the same surface."""


@dataclass(frozen=True)
class SearchAgreement:
    """Rays compared, hits of both, rays that only one search calls a hit, and depth differences.

    `other_depths` counts rays whose depths differ by more than SAME_DEPTH; depths in model units.
    """

    rays: int
    common_hits: int
    differing_hits: int
    other_depths: int
    median_depth_difference: float
    largest_depth_difference: float

    def __str__(self) -> str:
        return (
            f"search check: {self.rays} rays, {self.common_hits} hits of both searches, "
            f"{self.differing_hits} of one only, {self.other_depths} at another depth "
            f"(median difference {self.median_depth_difference:.1e} model units)"
        )


@torch.no_grad()
def compare_searches(
    avatar: Avatar, search: Search, reference: Search, view: View, posed: PosedHead, *, stride: int
) -> SearchAgreement:
    """Run two searches on every `stride`-th pixel, both ways, of one frame (records of one row)."""
    camera = view.camera
    pixels = pixel_grid(view.height, view.width, camera.intrinsics.device).view(view.height, view.width, 2)
    pixels = pixels[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 2)
    rays = cast_rays(camera, pixels.to(camera.intrinsics.dtype), torch.zeros_like(pixels[:, 0], dtype=torch.long))
    deform, field = avatar.for_frame(posed), avatar.field(posed)
    found = search(deform, field, rays, None)
    expected = reference(deform, field, rays, None)
    common = found.hit & expected.hit
    difference = (found.depth - expected.depth).abs()[common]
    some = len(difference) > 0
    return SearchAgreement(
        rays=len(rays),
        common_hits=int(common.sum()),
        differing_hits=int((found.hit != expected.hit).sum()),
        other_depths=int((difference > SAME_DEPTH).sum()),
        median_depth_difference=float(difference.median()) if some else 0.0,
        largest_depth_difference=float(difference.max()) if some else 0.0,
    )
