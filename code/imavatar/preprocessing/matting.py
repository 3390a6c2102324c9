"""How much of each pixel belongs to the person: soft alpha from a network's logits and the image's edges."""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.preprocessing.landmarks import Image

Plane: TypeAlias = Float[np.ndarray, "h w"]

PERSON_ALPHA = 0.5
"""Above it a pixel is the person's."""
GAIN, SHIFT = 2.0, 0.25
"""The network's edges are softer than those of a person, and lie a little inside."""
RADIUS, EPS = 0.012, 1e-3
"""Of the image's height: half a side of the windows in which alpha is a linear function of colour; and how much its
slopes are damped, in squared colours of [0, 1]."""
SURE_LOGIT = 2.0
INSIDE, OUTSIDE = 0.012, 0.016
"""Of the image's height: what is sure of one side and farther from the other than this is 1 and 0."""
LEAST, MOST = 0.03, 0.99
"""The filter's values that become 0 and 1: a faint veil around hair is none."""


def person_logit(logits: Float[np.ndarray, "k h w"]) -> Float[np.ndarray, "h w"]:
    """Logit of all classes but the first, the background."""
    most = np.maximum.reduce(logits[1:])
    total = np.add.reduce([cv2.exp(plane - most) for plane in logits[1:]])
    return most + cv2.log(total) - logits[0]


def soft_alpha(rgb: Image, logit: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Alpha whose edges are those of the image within the band where the network's outline may be.

    Args:
        logit: of a pixel being the person's, at the image's size.
    """
    height = len(rgb)
    guess = 1 / (1 + cv2.exp(-GAIN * (logit + SHIFT)))
    alpha = colour_guided(rgb.astype(np.float32) / 255, guess, max(1, round(RADIUS * height)))
    alpha = np.clip((alpha - LEAST) / (MOST - LEAST), 0, 1)
    alpha[cv2.erode((logit > SURE_LOGIT).astype(np.uint8), disk(INSIDE, height)) == 1] = 1
    alpha[cv2.erode((logit < -SURE_LOGIT).astype(np.uint8), disk(OUTSIDE, height)) == 1] = 0
    return alpha


def colour_guided(
    guide: Float[np.ndarray, "h w 3"], values: Float[np.ndarray, "h w"], radius: int
) -> Float[np.ndarray, "h w"]:
    """Values as local linear functions of a guide's colours (He, Sun, Tang: Guided Image Filtering, 2013).

    In each window the slopes are those of ridge regression; a pixel takes the mean of its windows' functions.
    """
    side = (2 * radius + 1, 2 * radius + 1)

    def mean(plane: Plane) -> Plane:
        return cv2.boxFilter(plane, -1, side, borderType=cv2.BORDER_REFLECT)

    mean_values = mean(values)
    channels = cv2.split(guide)
    means = [mean(channel) for channel in channels]
    right = [mean(channel * values) - own * mean_values for channel, own in zip(channels, means, strict=True)]
    matrix = {
        (i, k): mean(channels[i] * channels[k]) - means[i] * means[k] + np.float32(EPS if i == k else 0)
        for i in range(3)
        for k in range(i, 3)
    }
    slopes = _solved(matrix, right)
    offset = mean_values - _dot(slopes, means)
    return _dot([mean(slope) for slope in slopes], channels) + mean(offset)


def _solved(matrix: dict[tuple[int, int], Plane], right: Sequence[Plane]) -> list[Plane]:
    """Solutions of symmetric systems of 3 equations, one a pixel, by Cramer's rule."""
    a, b, c, d, e, f = (matrix[key] for key in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
    first = d * f - e * e, c * e - b * f, b * e - c * d
    second = first[1], a * f - c * c, b * c - a * e
    third = first[2], second[2], a * d - b * b
    scale = 1 / _dot((a, b, c), first)
    return [scale * _dot(row, right) for row in (first, second, third)]


def _dot(left: Sequence[Plane], right: Sequence[Plane]) -> Plane:
    return left[0] * right[0] + left[1] * right[1] + left[2] * right[2]


def disk(radius: float, height: int) -> UInt8[np.ndarray, "d d"]:
    """A disk for morphology whose radius is a share of an image's height."""
    side = 2 * round(radius * height) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
