"""Which pixels count: the protocols under which methods of this field publish numbers (docs/baselines.md)."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import Frame
from imavatar.errors import ConfigError, DataError
from imavatar.evaluation import regions
from imavatar.evaluation.metrics import N_IBUG
from imavatar.names import shown

PAPER_SIZE = (256, 256)
"""Of the images that the paper's numbers are of."""

Region = Bool[Tensor, "h w"] | None
"""The pixels that count; None: all, as they are. A frame in which none counts is left out of the means."""


@dataclass(frozen=True)
class Protocol:
    """A named choice of pixels of a frame that has a picture.

    Everything else is white in both images. Of a close-up it is the truth in both, and of both is seen only the part's
    box, enlarged for LPIPS (`evaluation.close_up`).
    """

    name: str
    description: str
    pixels: Callable[[Frame], Region]
    needs_semantics: bool = False
    close_up: bool = False


def face_interior(keypoints: Float[Tensor, "k 2"], height: int, width: int) -> Bool[Tensor, "h w"]:
    """Pixels, with centres at whole numbers (x, y), in the convex hull of the first 68 landmarks."""
    points = keypoints[:N_IBUG].detach().cpu().numpy().astype(np.float32)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(cv2.convexHull(points)).astype(np.int32), 1)
    return torch.from_numpy(mask.astype(bool))


def face_of(frame: Frame) -> Bool[Tensor, "h w"]:
    """The foreground inside the hull of the 68 landmarks, where the paper measures."""
    return face_interior(frame.keypoints, *frame.foreground.shape) & frame.foreground


def _semantics(frame: Frame, protocol: str) -> Float[Tensor, "h w 9"]:
    if frame.semantics is None:
        raise DataError(
            f"frame {frame.name} in sub_dir {frame.sub_dir} has no semantic map, which the protocol {protocol} needs"
        )
    return frame.semantics


def _without_cloth(frame: Frame) -> Bool[Tensor, "h w"]:
    return frame.foreground & ~(_semantics(frame, "no-cloth")[..., SemanticClass.CLOTH] > 0.5)


def _hair_rim(frame: Frame) -> Bool[Tensor, "h w"]:
    return regions.hair_and_rim(frame.foreground, _semantics(frame, "hair-rim"))


_foreground = operator.attrgetter("foreground")
FACE, MASK = "the face's interior: the hull of the 68 landmarks, within the mask", "the true mask"
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("paper", FACE, face_of),
        Protocol("foreground", MASK, _foreground),
        Protocol("no-cloth", "the true mask without clothes", _without_cloth, needs_semantics=True),
        Protocol(
            "full", "all; the truth is white outside its mask, the rendering where nothing is hit", lambda _: None
        ),
        Protocol("mask", MASK, _foreground),
        Protocol("face", FACE, face_of),
        Protocol(
            "eyes",
            f"both eyes: the hulls of their landmarks and what is within {regions.EYE_MARGIN:g} of an eye's width of "
            "them, within the mask; a close-up",
            lambda frame: regions.eyes(frame.keypoints, frame.foreground),
            close_up=True,
        ),
        Protocol(
            "mouth",
            f"the mouth: the hull of the outer lips' landmarks and what is within {regions.MOUTH_MARGIN:g} of its "
            "width of it, within the mask; a close-up",
            lambda frame: regions.mouth(frame.keypoints, frame.foreground),
            close_up=True,
        ),
        Protocol(
            "hair-rim",
            f"hair, and what is within {regions.RIM:g} of the picture's shorter side of the true mask's outline",
            _hair_rim,
            needs_semantics=True,
        ),
    )
}
"""By name. `mask` and `face` are the pixels of `foreground` and `paper`, by the names of an evaluation's columns."""


def protocols_of(names: Sequence[str]) -> list[Protocol]:
    """Protocols by their names.

    Raises:
        ConfigError: there is no such protocol.
    """
    for name in names:
        if name not in PROTOCOLS:
            raise ConfigError(f"there is no protocol {shown(name)}; there are {', '.join(PROTOCOLS)}")
    return [PROTOCOLS[name] for name in names]
