"""An avatar to be looked at: its baked mesh at once, its exact image when there is time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.baking.baked import BakedAvatar, frame_transforms
from imavatar.baking.drawing import draw
from imavatar.rendering.character import Character
from imavatar.rendering.image import ImageRenderer, soften_silhouette
from imavatar.types import Camera, HeadParameters, concatenate
from imavatar.viewer.camera import rows_of

BAND = 32
"""Rows that are rendered exactly before the next look at whether they are still wanted."""
TURN_SECONDS = 0.02
"""Between two looks at that, while another browser's band is rendered."""

Image: TypeAlias = UInt8[np.ndarray, "h w 3"]


class LiveRenderer:
    """Draws frames of one avatar for several browsers, each with a thread of its own.

    The exact renderers are not safe for threads: a search keeps its mesh posed as in the latest frame, and the networks
    keep their effective weights while an image is rendered. So one browser's band is rendered at a time. Drawing uses
    neither and never waits. A search for every browser would not do: the networks would still be shared, and each
    search holds a fine mesh.

    Args:
        baked: its mesh, with colours of its vertices.
        renderers: of exact images, the quickest first, all without softened silhouettes.
        silhouette_blur: of the last one's images, pixels; see `soften_silhouette`.
    """

    def __init__(
        self, character: Character, baked: BakedAvatar, renderers: Sequence[ImageRenderer], silhouette_blur: float = 0.0
    ):
        self.character = character
        self.baked = _single_precision(baked)
        self.renderers = renderers
        self.silhouette_blur = silhouette_blur
        self._rendering = threading.Lock()

    @torch.no_grad()
    def draw(self, head: HeadParameters, camera: Camera, height: int, width: int) -> Image:
        """The baked mesh in a frame (one row) under a camera."""
        posed = self.character.pose(head)
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
        """The drawn image, replaced from the top down by each renderer's in turn; ends early where it is not wanted.

        Args:
            wanted: asked before every band, and again and again while another browser's band is rendered.
        """
        posed = self.character.pose(head)
        camera = camera.to(self.character.device)
        shown = self.draw(head, camera, height, width)
        for renderer in self.renderers:
            parts = []
            for first in range(0, height, BAND):
                n = min(BAND, height - first)
                with self._turn(wanted) as own:
                    if not own:
                        return
                    parts.append(renderer.render(rows_of(camera, first), posed, n, width))
                shown[first : first + n] = _bytes(_unit(parts[-1].rgb))
                yield shown.copy()
        if self.silhouette_blur > 0:
            yield _bytes(_unit(soften_silhouette(concatenate(parts), self.silhouette_blur).rgb))

    @contextmanager
    def _turn(self, wanted: Callable[[], bool]) -> Iterator[bool]:
        """Whether it is this thread's turn to render; False as soon as its image is not wanted any more."""
        while wanted():
            if self._rendering.acquire(timeout=TURN_SECONDS):
                try:
                    yield True
                finally:
                    self._rendering.release()
                return
        yield False


def _single_precision(baked: BakedAvatar) -> BakedAvatar:
    """Half of the memory to go through in every frame."""
    floats = ("vertices", "expression", "correctives", "weights", "colours")
    return replace(baked, **{name: np.ascontiguousarray(getattr(baked, name), dtype=np.float32) for name in floats})


def _unit(rgb: Float[Tensor, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    return (rgb.double().cpu().numpy() + 1) / 2


def _bytes(image: Float[np.ndarray, "h w 3"]) -> Image:
    return np.rint(255 * image.clip(0, 1)).astype(np.uint8)
