"""A rendering beside its picture."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.data.dataset import Frame
from imavatar.rendering.image import RenderedImage


@dataclass(frozen=True)
class ColourPair:
    """Colours of a rendering and of its picture in [0, 1], the pixels that count, and the recording they are of."""

    sub_dir: str
    image: Float[Tensor, "h w 3"]
    truth: Float[Tensor, "h w 3"]
    region: Bool[Tensor, "h w"]

    @classmethod
    def of(cls, frame: Frame, rendered: RenderedImage, region: Bool[Tensor, "h w"]) -> "ColourPair":
        """Of a frame that has a picture."""
        image, truth = ((part.cpu().clamp(-1, 1) + 1) / 2 for part in (rendered.rgb, frame.image))
        return cls(frame.sub_dir, image, truth, region)
