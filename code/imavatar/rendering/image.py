"""Whole images of an avatar, in chunks of rays."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imavatar.fields.mlp import cached_weights
from imavatar.rendering.avatar import Avatar, Search
from imavatar.rendering.camera import cast_rays, pixel_grid
from imavatar.rendering.surface_mesh import SurfaceMesh, avatar_mesh
from imavatar.types import Camera, PosedHead, RayBundle, TensorRecord

NOTHING = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""What `resolve` takes of a sample that hits nothing: white, no normal, no coverage, no depth."""


@dataclass(frozen=True)
class RenderedImage(TensorRecord):
    """Colours in [-1, 1] on white, unit normals in deformed space (0 where nothing is), coverage."""

    rgb: Float[Tensor, "h w 3"]
    normal: Float[Tensor, "h w 3"]
    alpha: Float[Tensor, "h w"]
    depth: Float[Tensor, "h w"]


@runtime_checkable
class Renderer(Protocol):
    """Makes pictures of posed heads, as `ImageRenderer`, `PreviewRenderer` and a baseline's renderer do."""

    def render(self, camera: Camera, posed: PosedHead, height: int, width: int) -> RenderedImage:
        """The image of one camera and one posed head (records of one row)."""
        ...


@runtime_checkable
class SurfaceRenderer(Renderer, Protocol):
    """Makes meshes too, as renderers of exact images do."""

    def mesh(self, posed: PosedHead, resolution: int) -> SurfaceMesh:
        """The surface in one frame, `resolution` cells along its longest side."""
        ...


class ImageRenderer:
    """Renders frames with the avatar's own search or another one.

    Args:
        chunk: rays at a time; bounds the memory, does not change the image.
        supersample: rays along each side of a pixel; their colours are averaged.
        silhouette_blur: standard deviation in pixels by which the edge of the person is softened; see
            `soften_silhouette`.
    """

    def __init__(
        self,
        avatar: Avatar,
        *,
        search: Search | None = None,
        chunk: int = 16384,
        supersample: int = 1,
        silhouette_blur: float = 0.0,
    ):
        self.avatar, self.search = avatar, avatar.search if search is None else search
        self.chunk, self.supersample, self.silhouette_blur = chunk, supersample, silhouette_blur

    @torch.no_grad()
    def render(self, camera: Camera, posed: PosedHead, height: int, width: int) -> RenderedImage:
        """The image of one camera and one posed head (records of one row)."""
        with cached_weights(self.avatar):
            samples = self._samples(image_rays(camera, height, width, self.supersample), posed)
        image = resolve(samples, height, width, self.supersample)
        return soften_silhouette(image, self.silhouette_blur) if self.silhouette_blur > 0 else image

    def mesh(self, posed: PosedHead, resolution: int) -> SurfaceMesh:
        """The surface in one frame as a mesh; see `avatar_mesh`."""
        return avatar_mesh(self.avatar, posed, resolution=resolution)

    def _samples(self, rays: RayBundle, posed: PosedHead) -> Float[Tensor, "n 8"]:
        """Colour, normal, whether something is there, and its depth."""
        deform, field = self.avatar.for_frame(posed), self.avatar.field(posed)
        samples = rays.origins.new_tensor(NOTHING).repeat(len(rays), 1)
        for start in range(0, len(rays), self.chunk):
            hits = self.search(deform, field, rays[start : start + self.chunk], None)
            hit = hits.hit.nonzero()[:, 0]
            seen, depth = self.avatar.appearance(hits.x_c[hit], posed), hits.depth[hit][:, None]
            samples[start + hit] = torch.cat([seen.rgb, seen.normal, torch.ones_like(depth), depth], dim=-1)
        return samples


def soften_silhouette(image: RenderedImage, sigma: float) -> RenderedImage:
    """The image with its coverage blurred, as the edge of hair is soft: a surface has a hard one.

    Colours inside stay as they are, those of the widened edge are carried outwards. Normals and depths do not change.

    Args:
        sigma: standard deviation of the Gaussian, pixels.
    """
    coverage = image.alpha[..., None]
    premultiplied = image.rgb - (1 - coverage)
    blurred = _gaussian_blur(torch.cat([premultiplied, coverage], dim=-1), sigma)
    soft = blurred[..., 3:]
    carried = blurred[..., :3] / soft.clamp(min=1e-6)
    colour = torch.where(coverage == 1, image.rgb, carried)
    return replace(image, rgb=soft * colour + (1 - soft), alpha=soft[..., 0])


def _gaussian_blur(image: Float[Tensor, "h w c"], sigma: float) -> Float[Tensor, "h w c"]:
    """Along both axes; beyond its border the image goes on as at it."""
    reach = max(1, round(3 * sigma))
    offset = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = (-0.5 * (offset / sigma).square()).exp()
    kernel = kernel / kernel.sum()
    channels = image.permute(2, 0, 1)[:, None]
    padded = F.pad(channels, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel.view(1, 1, 1, -1))
    return F.conv2d(across, kernel.view(1, 1, -1, 1))[:, 0].permute(1, 2, 0)


def subpixels(height: int, width: int, per_side: int, device: torch.device | None = None) -> Float[Tensor, "n 2"]:
    """Sample positions of all pixels, pixel by pixel; with one sample a pixel its own coordinates."""
    offset = (torch.arange(per_side, device=device) + 0.5) / per_side - 0.5
    offsets = torch.cartesian_prod(offset, offset).flip(-1)
    return (pixel_grid(height, width, device)[:, None] + offsets).reshape(-1, 2)


def image_rays(camera: Camera, height: int, width: int, per_side: int) -> RayBundle:
    """Rays through the `subpixels` of an image of one camera (a record of one row)."""
    pixels = subpixels(height, width, per_side, camera.intrinsics.device).to(camera.intrinsics)
    return cast_rays(camera, pixels, torch.zeros(len(pixels), dtype=torch.long, device=pixels.device))


def resolve(samples: Float[Tensor, "n 8"], height: int, width: int, per_side: int) -> RenderedImage:
    """An image from the samples of `subpixels`: colour, normal, whether something is there, its depth."""
    pixels = samples.view(height, width, per_side**2, 8)
    alpha = pixels[..., 6].mean(dim=-1)
    depth = pixels[..., 7].sum(dim=-1) / pixels[..., 6].sum(dim=-1).clamp(min=1)
    normal = F.normalize(pixels[..., 3:6].sum(dim=2), dim=-1)
    return RenderedImage(pixels[..., :3].mean(dim=2), normal, alpha, depth)
