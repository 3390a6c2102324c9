"""The matte and the labels of frames, by the network that is asked for, or by what is there."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from imavatar.assets import is_there
from imavatar.errors import DataError
from imavatar.names import shown
from imavatar.paths import command
from imavatar.preprocessing.class_labels import label_classes
from imavatar.preprocessing.colour_matting import ColourMatting
from imavatar.preprocessing.face_parsing import FaceParser, with_parsed
from imavatar.preprocessing.islands import clean_alpha
from imavatar.preprocessing.landmarks import FaceLandmarks, Image
from imavatar.preprocessing.matting import person_logit, soft_alpha
from imavatar.preprocessing.multiclass import ASSET, MulticlassModel
from imavatar.preprocessing.semantics import label_semantics
from imavatar.preprocessing.steadying import Steadied

logger = logging.getLogger(__name__)

DESCRIPTIONS = {
    "multiclass": "soft, and from MediaPipe's selfie multiclass network with the landmarks",
    "bisenet": "soft, and labels by BiSeNet face parsing (trained on CelebAMask-HQ: non-commercial use only)",
    "bisenet-hard": "hard outlines, and labels by BiSeNet face parsing (trained on CelebAMask-HQ: non-commercial use "
    "only); the selfie multiclass network was not used",
    "landmarks": "hard outlines, and labels by place and colour; the selfie multiclass network was not used",
}
"""Of what makes matte and labels, for reports."""
CHOICES = ("auto", "multiclass", "bisenet", "landmarks")


@dataclass(frozen=True)
class Segments:
    """Alpha in [0, 1] and face-parsing labels of a frame; labels are 0 where alpha is at most one half."""

    alpha: Float[np.ndarray, "h w"]
    labels: UInt8[np.ndarray, "h w"]

    @property
    def mask(self) -> UInt8[np.ndarray, "h w"]:
        """Alpha as the bytes of a file; above one half, and only there, it is above 127."""
        return np.ceil(255 * np.clip(self.alpha, 0, 1) - 0.5).astype(np.uint8)


Segment: TypeAlias = Callable[[Image, FaceLandmarks], Segments]
"""Segments of the next frame."""


class Segmenter:
    """Frames of a recording, in their order, to segments.

    Args:
        semantics: a choice that `chosen` has made.

    Raises:
        AssetError: a model that is needed has not been fetched.
    """

    def __init__(self, semantics: str):
        soft = semantics in ("multiclass", "bisenet")
        self._segment = self._of_classes(MulticlassModel()) if soft else self._of_colours(ColourMatting())
        self._parser = FaceParser() if semantics in ("bisenet", "bisenet-hard") else None
        self._steadied = Steadied()

    def reset(self) -> None:
        """Forget the frame before: another recording begins."""
        self._steadied.reset()

    def __call__(self, rgb: Image, face: FaceLandmarks) -> Segments:
        """Segments of the next frame."""
        segments = self._segment(rgb, face)
        if self._parser is None:
            return segments
        return replace(segments, labels=with_parsed(segments.labels, self._parser(rgb, face), face))

    def _of_classes(self, network: MulticlassModel) -> Segment:
        """Soft mattes."""

        def segment(rgb: Image, face: FaceLandmarks) -> Segments:
            logits = network(rgb, face)
            alpha = soft_alpha(rgb, person_logit(logits))
            *logits, alpha = self._steadied(rgb, np.stack([*logits, alpha]))
            alpha = clean_alpha(alpha, face)
            return Segments(alpha, label_classes(np.stack(logits), alpha, face))

        return segment

    def _of_colours(self, matting: Callable[[Image], Float[np.ndarray, "h w"]]) -> Segment:
        """Hard ones."""

        def segment(rgb: Image, face: FaceLandmarks) -> Segments:
            alpha = matting(rgb)
            return Segments(alpha, label_semantics(alpha, face, rgb))

        return segment


def chosen(semantics: str) -> str:
    """One of DESCRIPTIONS: what a choice comes to with the networks that have been fetched.

    Raises:
        DataError: no such choice.
    """
    if semantics not in CHOICES:
        raise DataError(f"semantics {shown(semantics)!r}: expected one of {', '.join(CHOICES)}")
    without = {"auto": "landmarks", "bisenet": "bisenet-hard"}
    if semantics in without and not is_there(ASSET):
        return without[semantics]
    return "multiclass" if semantics == "auto" else semantics


def described(semantics: str) -> str:
    """What a report says of a choice that `chosen` has made."""
    return DESCRIPTIONS.get(semantics, semantics)


def segmenter(semantics: str) -> Segmenter:
    """What cuts the person out and labels the parts; warns where it has to do without the network.

    Raises:
        AssetError: a model that is needed has not been fetched, or is damaged.
        DataError: no such choice.
    """
    kind = chosen(semantics)
    if kind != semantics and kind != "multiclass":
        said = f"the model {ASSET} is not there, so the matte is hard; for a soft one, and better labels, run"
        logger.warning("%s: %s --only %s", said, command("fetch_assets"), ASSET)
    return Segmenter(kind)
