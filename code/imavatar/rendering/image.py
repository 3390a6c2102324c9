"""Whole images of an avatar, in chunks of rays."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imavatar.rendering.avatar import Avatar
from imavatar.rendering.camera import cast_rays, pixel_grid
from imavatar.types import Camera, PosedHead


@dataclass(frozen=True)
class RenderedImage:
    """Colours in [-1, 1] on white, unit normals in deformed space (0 where nothing is), coverage."""

    rgb: Float[Tensor, "h w 3"]
    normal: Float[Tensor, "h w 3"]
    alpha: Float[Tensor, "h w"]
    depth: Float[Tensor, "h w"]


class ImageRenderer:
    """Renders frames with the avatar's own search or another one.

    Args:
        chunk: rays at a time; bounds the memory, does not change the image.
        supersample: rays along each side of a pixel; their colours are averaged.
    """

    def __init__(self, avatar: Avatar, *, search=None, chunk: int = 8192, supersample: int = 1):
        self.avatar = avatar
        self.search = avatar.search if search is None else search
        self.chunk = chunk
        self.supersample = supersample

    @torch.no_grad()
    def render(self, camera: Camera, posed: PosedHead, height: int, width: int) -> RenderedImage:
        """The image of one camera and one posed head (records of one row)."""
        pixels = subpixels(height, width, self.supersample, camera.intrinsics.device)
        frame = torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)
        rays = cast_rays(camera, pixels.to(camera.intrinsics.dtype), frame)
        bound = self.avatar.deformer.bind(posed)
        field = self.avatar.field(posed)
        columns = []
        for start in range(0, len(rays), self.chunk):
            part = rays[slice(start, start + self.chunk)]
            hits = self.search(bound, field, part, None)
            hit = hits.hit.nonzero()[:, 0]
            surface = self.avatar.shade_surface(bound, posed, part[hit], hits.x_c[hit])
            column = torch.zeros(len(part), 8, dtype=rays.origins.dtype, device=pixels.device)
            column[:, :3] = 1.0
            shaded = (surface.rgb, surface.normal, torch.ones_like(hits.depth[hit])[:, None])
            column[hit] = torch.cat([*shaded, hits.depth[hit][:, None]], dim=-1)
            columns.append(column)
        return _resolve(torch.cat(columns), height, width, self.supersample)


def subpixels(height: int, width: int, per_side: int, device=None) -> Float[Tensor, "n 2"]:
    """Sample positions of all pixels, pixel by pixel; with one sample a pixel its own coordinates."""
    offset = (torch.arange(per_side, device=device) + 0.5) / per_side - 0.5
    v, u = torch.meshgrid(offset, offset, indexing="ij")
    offsets = torch.stack([u, v], dim=-1).reshape(1, -1, 2)
    return (pixel_grid(height, width, device)[:, None] + offsets).reshape(-1, 2)


def _resolve(samples: Float[Tensor, "n 8"], height, width, per_side) -> RenderedImage:
    pixels = samples.view(height, width, per_side**2, 8)
    alpha = pixels[..., 6].mean(dim=-1)
    depth = pixels[..., 7].sum(dim=-1) / pixels[..., 6].sum(dim=-1).clamp(min=1)
    normal = F.normalize(pixels[..., 3:6].sum(dim=2), dim=-1)
    return RenderedImage(pixels[..., :3].mean(dim=2), normal, alpha, depth)
