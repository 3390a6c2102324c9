"""Which pixels count: the protocols under which methods of this field publish numbers (docs/baselines.md)."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import Frame
from imavatar.errors import DataError
from imavatar.evaluation.face_interior import face_interior

PAPER_SIZE = (256, 256)
"""Of the images that the paper's numbers are of."""


@dataclass(frozen=True)
class Protocol:
    """A named choice of pixels; everything else is white in both images."""

    name: str
    description: str
    pixels: Callable[[Frame], Bool[Tensor, "h w"]]


def face_of(frame: Frame) -> Bool[Tensor, "h w"]:
    """The foreground inside the hull of the 68 landmarks."""
    return face_interior(frame.keypoints, *frame.foreground.shape) & frame.foreground


def _without_cloth(frame: Frame) -> Bool[Tensor, "h w"]:
    if frame.semantics is None:
        raise DataError(
            f"frame {frame.name} in sub_dir {frame.sub_dir} has no semantic map, which the protocol no-cloth needs"
        )
    cloth = frame.semantics[..., SemanticClass.CLOTH] > 0.5
    return frame.foreground & ~cloth


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("paper", "the face's interior: the hull of the 68 landmarks, within the mask", face_of),
        Protocol("foreground", "the true mask", lambda frame: frame.foreground),
        Protocol("no-cloth", "the true mask without clothes", _without_cloth),
    )
}
