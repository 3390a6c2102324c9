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
from imavatar.preprocessing.islands import VEIL, clean_alpha
from imavatar.preprocessing.landmarks import FaceLandmarks, Image
from imavatar.preprocessing.matting import person_logit, soft_alpha
from imavatar.preprocessing.multiclass import ASSET, MulticlassModel
from imavatar.preprocessing.semantics import label_semantics
from imavatar.preprocessing.steadying import Steadied
from imavatar.preprocessing.video_matting import VideoMatting, rvm_session

logger = logging.getLogger(__name__)

LABELS = {
    "multiclass": "labels from MediaPipe's selfie multiclass network with the landmarks",
    "bisenet": "labels by BiSeNet face parsing (trained on CelebAMask-HQ: non-commercial use only)",
    "landmarks": "labels by place and colour",
}
"""Where labels come from, for reports."""
SOFT, HARD = "soft, from the selfie multiclass network", "hard outlines"
BY_RVM = "soft, by Robust Video Matting (its code and weights are under the GPL-3.0)"
"""Of mattes, for reports."""
CHOICES = ("auto", "multiclass", "bisenet", "landmarks")
MATTINGS = ("auto", "rvm")
RVM_VEIL = 0.12
"""Heights of the face: how far that network's alpha of thin hair reaches beyond what is more than half the person's."""
WITHOUT_NETWORK = ("landmarks", "bisenet-hard")
"""Of what `chosen` returns."""


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
        matting: one of MATTINGS.

    Raises:
        AssetError: a model that is needed has not been fetched, or ONNX Runtime is needed and not installed.
    """

    def __init__(self, semantics: str, matting: str = "auto"):
        self._matting = VideoMatting(rvm_session()) if matting == "rvm" else None
        if semantics not in WITHOUT_NETWORK:
            self._segment = self._of_classes(MulticlassModel())
        elif self._matting is None:
            self._segment = self._of_colours(ColourMatting())
        else:
            self._segment = self._of_places(self._matting)
        self._parser = FaceParser() if semantics in ("bisenet", "bisenet-hard") else None
        self._steadied = Steadied()

    def reset(self) -> None:
        """Forget the frames before: another recording, or another shot of one, begins."""
        self._steadied.reset()
        if self._matting is not None:
            self._matting.reset()

    def __call__(self, rgb: Image, face: FaceLandmarks) -> Segments:
        """Segments of the next frame."""
        segments = self._segment(rgb, face)
        if self._parser is None:
            return segments
        return replace(segments, labels=with_parsed(segments.labels, self._parser(rgb, face), face))

    def _of_classes(self, network: MulticlassModel) -> Segment:
        """Soft mattes, and labels from classes."""

        def segment(rgb: Image, face: FaceLandmarks) -> Segments:
            logits = network(rgb, face)
            alpha = soft_alpha(rgb, person_logit(logits)) if self._matting is None else self._matting(rgb)
            *logits, alpha = self._steadied(rgb, np.stack([*logits, alpha]))
            alpha = clean_alpha(alpha, face, VEIL if self._matting is None else RVM_VEIL)
            return Segments(alpha, label_classes(np.stack(logits), alpha, face))

        return segment

    def _of_colours(self, matting: Callable[[Image], Float[np.ndarray, "h w"]]) -> Segment:
        """Hard mattes, and labels by place and colour."""

        def segment(rgb: Image, face: FaceLandmarks) -> Segments:
            alpha = matting(rgb)
            return Segments(alpha, label_semantics(alpha, face, rgb))

        return segment

    def _of_places(self, matting: VideoMatting) -> Segment:
        """Soft mattes, and labels by place and colour."""

        def segment(rgb: Image, face: FaceLandmarks) -> Segments:
            (alpha,) = self._steadied(rgb, matting(rgb)[None])
            alpha = clean_alpha(alpha, face, RVM_VEIL)
            return Segments(alpha, label_semantics(alpha, face, rgb))

        return segment


def chosen(semantics: str) -> str:
    """What a choice comes to with the networks that have been fetched: one of LABELS, or `bisenet-hard`.

    Raises:
        DataError: no such choice.
    """
    if semantics not in CHOICES:
        raise DataError(f"semantics {shown(semantics)!r}: expected one of {', '.join(CHOICES)}")
    without = {"auto": "landmarks", "bisenet": "bisenet-hard"}
    if semantics in without and not is_there(ASSET):
        return without[semantics]
    return "multiclass" if semantics == "auto" else semantics


def chosen_matting(matting: str) -> str:
    """One of MATTINGS.

    Raises:
        DataError: no such choice.
    """
    if matting not in MATTINGS:
        raise DataError(f"matting {shown(matting)!r}: expected one of {', '.join(MATTINGS)}")
    return matting


def described(semantics: str, matting: str = "auto") -> str:
    """What a report says of a choice that `chosen` has made, and of one of MATTINGS."""
    labels = LABELS.get(semantics.removesuffix("-hard"))
    if labels is None:
        return semantics
    without = semantics in WITHOUT_NETWORK
    matte = BY_RVM if matting == "rvm" else HARD if without else SOFT
    return f"{matte}, and {labels}" + ("; the selfie multiclass network was not used" if without else "")


def segmenter(semantics: str, matting: str = "auto") -> Segmenter:
    """What cuts the person out and labels the parts; warns where it has to do without the selfie multiclass network.

    Raises:
        AssetError: a model that is needed has not been fetched or is damaged, or ONNX Runtime is needed and missing.
        DataError: no such choice.
    """
    kind, matting = chosen(semantics), chosen_matting(matting)
    if kind != semantics and kind != "multiclass":
        lacks = "labels are coarse" if matting == "rvm" else "the matte is hard and labels are coarse"
        said = f"the model {ASSET} is not there, so {lacks}; for better ones, run"
        logger.warning("%s: %s --only %s", said, command("fetch_assets"), ASSET)
    return Segmenter(kind, matting)
