"""An avatar to be looked at: its baked mesh at once, its exact image when there is time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.baking.baked import BakedAvatar, frame_transforms
from imavatar.baking.drawing import draw
from imavatar.head.flame import Flame
from imavatar.rendering.image import ImageRenderer, soften_silhouette
from imavatar.types import Camera, HeadParameters, PosedHead
from imavatar.viewer.camera import rows_of

BAND = 32
"""Rows that are rendered exactly before the next look at whether they are still wanted."""

Image = UInt8[np.ndarray, "h w 3"]


class Stage:
    """Draws frames of one avatar; used by several threads.

    Args:
        baked: with colours of its vertices.
        renderers: of exact images, the quickest first, all without softened silhouettes.
        silhouette_blur: of the last one's images, pixels; see `soften_silhouette`.
    """

    def __init__(
        self,
        baked: BakedAvatar,
        flame: Flame,
        renderers: Sequence[ImageRenderer],
        latent: Float[Tensor, "1 l"],
        silhouette_blur: float = 0.0,
    ):
        self.baked = _single_precision(baked)
        self.flame = flame
        self.renderers = renderers
        self.latent = latent
        self.silhouette_blur = silhouette_blur

    @torch.no_grad()
    def draw(self, head: HeadParameters, camera: Camera, height: int, width: int) -> Image:
        """The baked mesh in a frame (one row) under a camera."""
        posed = self._posed(head)
        vertices = self.baked.posed(
            posed.expression[0, : len(self.baked.expression)].cpu().numpy(),
            posed.pose_feature[0].cpu().numpy(),
            frame_transforms(posed, 0).astype(np.float32),
        )
        return _bytes(draw(self.baked, vertices, camera, height, width, cull=True))

    @torch.no_grad()
    def refine(
        self, head: HeadParameters, camera: Camera, height: int, width: int, wanted: Callable[[], bool]
    ) -> Iterator[Image]:
        """The drawn image, replaced from the top down by each renderer's in turn; ends early where it is not wanted."""
        posed = self._posed(head)
        camera = camera.to(posed.bone_transforms.device)
        shown = self.draw(head, camera, height, width)
        for renderer in self.renderers:
            parts = []
            for first in range(0, height, BAND):
                if not wanted():
                    return
                n = min(BAND, height - first)
                parts.append(renderer.render(rows_of(camera, first), posed, n, width))
                shown[first : first + n] = _bytes(_unit(parts[-1].rgb))
                yield shown.copy()
        whole = type(parts[0])(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(parts[0])})
        if self.silhouette_blur > 0:
            yield _bytes(_unit(soften_silhouette(whole, self.silhouette_blur).rgb))

    def _posed(self, head: HeadParameters) -> PosedHead:
        return self.flame(head.to(self.flame.v_template.device), self.latent)


def _single_precision(baked: BakedAvatar) -> BakedAvatar:
    """Half of the memory to go through in every frame."""
    floats = ("vertices", "expression", "correctives", "weights", "colours")
    return replace(baked, **{name: np.ascontiguousarray(getattr(baked, name), dtype=np.float32) for name in floats})


def _unit(rgb: Float[Tensor, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    return (rgb.double().cpu().numpy() + 1) / 2


def _bytes(image: Float[np.ndarray, "h w 3"]) -> Image:
    return np.rint(255 * image.clip(0, 1)).astype(np.uint8)
