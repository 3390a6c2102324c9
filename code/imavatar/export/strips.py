"""Comparison strips as PNG files: truth | rendering | normals."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from imavatar.data.images import write_png
from imavatar.rendering.image import RenderedImage
from imavatar.rendering.strips import comparison_strip


def write_strip(path: Path, truth: Float[Tensor, "h w 3"] | None, rendered: RenderedImage) -> None:
    """Write one strip, making its folder; without a truth (colours in [-1, 1]) rendering and normals only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, comparison_strip(truth, rendered))
