"""What pixels show, by MediaPipe's selfie multiclass model: background, hair, skin, clothes, other things."""

from enum import IntEnum

import cv2
import numpy as np
from jaxtyping import Float

from imavatar.assets import asset_path
from imavatar.preprocessing.landmarks import FaceLandmarks, Image, Region
from imavatar.preprocessing.tflite import TfliteModel

ASSET = "selfie_multiclass"
CHIN, FOREHEAD = 152, 10
"""Landmarks between which a face's height is measured."""
WINDOW_SIDE, WINDOW_RISE = 2.0, 0.15
"""Of the face's height: side of the square that is looked at once more, and how far its middle is above the face's."""
LARGEST_WINDOW = 0.8
"""Of the picture's shorter side: a larger square shows the model little more than the whole picture does."""
FADE = 0.1
"""Of the square's side: how far from its edge the second look counts in full."""
MOST_LOGIT = 8.0


class SelfieClass(IntEnum):
    """Channels of the model."""

    BACKGROUND = 0
    HAIR = 1
    BODY_SKIN = 2
    FACE_SKIN = 3
    CLOTHES = 4
    OTHER = 5


class MulticlassModel:
    """Image and landmarks -> logits of the classes at the image's size.

    The model's input is 256 pixels wide. A head that fills a part of the image is looked at once more by itself.

    Raises:
        AssetError: the model has not been fetched.
    """

    def __init__(self):
        self._model = TfliteModel(asset_path(ASSET))

    def __call__(self, rgb: Image, face: FaceLandmarks) -> Float[np.ndarray, "6 h w"]:
        """Logits, bounded by MOST_LOGIT on either side."""
        height, width = rgb.shape[:2]
        size = self._model.input_size
        small = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        resized = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in self._logits(small)]
        window = head_window(face, height, width)
        if window is not None:
            nearer = self._logits(_sampled(rgb, window, size))
            weight = np.clip(_warped(_fading(size), window, height, width), 0, 1)
            resized = [
                whole + weight * (_warped(near, window, height, width) - whole)
                for whole, near in zip(resized, nearer, strict=True)
            ]
        return np.clip(np.stack(resized), -MOST_LOGIT, MOST_LOGIT)

    def _logits(self, image: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, "6 s s"]:
        """Of an image in [0, 1] at the model's size."""
        return np.ascontiguousarray(self._model(2 * image - 1)[0].transpose(2, 0, 1))


def face_height(face: FaceLandmarks) -> float:
    """Pixels from the chin to the top of the forehead."""
    return float(np.linalg.norm(face.points[CHIN] - face.points[FOREHEAD]))


def head_window(face: FaceLandmarks, height: int, width: int) -> Region | None:
    """The square around a head within an image; None where it would be most of the image."""
    chin, top = face.points[CHIN], face.points[FOREHEAD]
    side = WINDOW_SIDE * face_height(face)
    if side > LARGEST_WINDOW * min(height, width):
        return None
    middle = (chin + top) / 2 + WINDOW_RISE * (top - chin)
    half = side / 2
    inside = np.clip(middle, half - 0.5, np.array([width, height]) - half - 0.5)
    return Region(inside, side, 0.0)


def _sampled(rgb: Image, window: Region, size: int) -> Float[np.ndarray, "s s 3"]:
    """The window as an image in [0, 1], averaged over areas where it shrinks."""
    if window.side <= size:
        return window.crop(rgb, size)
    whole = round(window.side)
    return cv2.resize(window.crop(rgb, whole), (size, size), interpolation=cv2.INTER_AREA)


def _warped(values: Float[np.ndarray, "s s"], window: Region, height: int, width: int) -> Float[np.ndarray, "h w"]:
    """Values of a window on the image's pixels; 0 outside the window."""
    return cv2.warpAffine(values, window.to_image(len(values)), (width, height), flags=cv2.INTER_CUBIC)


def _fading(size: int) -> Float[np.ndarray, "s s"]:
    """Weight of a window: 1 inside, down to 0 at its edge."""
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]) / (FADE * size)
    ramp = np.clip(distance, 0, 1).astype(np.float32)
    return np.minimum(ramp[:, None], ramp[None, :])
