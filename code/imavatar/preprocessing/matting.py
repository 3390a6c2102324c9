"""How much of each pixel belongs to the person: soft alpha from a network's logits and the image's edges."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.preprocessing.landmarks import Image

PERSON_ALPHA = 0.5
"""Above it a pixel is the person's."""
GAIN = 2.0
"""The network's logits are this much too small: its edges are softer than those of a person."""
RADIUS, EPS = 0.012, 1e-3
"""Of the image's height: half a side of the windows in which alpha is a linear function of colour; and how much its
slopes are damped, in squared colours of [0, 1]."""
SURE_LOGIT = 2.0
INSIDE, OUTSIDE = 0.012, 0.016
"""Of the image's height: what is sure of one side and farther from the other than this is 1 and 0."""
LEAST, MOST = 0.03, 0.99
"""The filter's values that become 0 and 1: a faint veil around hair is none."""


def person_logit(logits: Float[np.ndarray, "h w k"]) -> Float[np.ndarray, "h w"]:
    """Logit of all classes but the first, the background."""
    others = logits[..., 1:]
    most = others.max(axis=-1)
    return most + np.log(np.exp(others - most[..., None]).sum(axis=-1)) - logits[..., 0]


def soft_alpha(rgb: Image, logit: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Alpha whose edges are those of the image within the band where the network's outline may be.

    Args:
        logit: of a pixel being the person's, at the image's size.
    """
    height = len(rgb)
    guess = (1 / (1 + np.exp(-GAIN * logit))).astype(np.float32)
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

    def mean(image: Float[np.ndarray, "h w *c"]) -> Float[np.ndarray, "h w *c"]:
        return cv2.boxFilter(image, -1, side, borderType=cv2.BORDER_REFLECT)

    mean_guide, mean_values = mean(guide), mean(values)
    covariance = mean(guide * values[..., None]) - mean_guide * mean_values[..., None]
    red, green, blue = (guide[..., k] for k in range(3))
    squares = mean(np.dstack([red * red, green * green, blue * blue]))
    products = mean(np.dstack([red * green, red * blue, green * blue]))
    slopes = _solved(
        squares - mean_guide**2 + np.float32(EPS),
        products - mean_guide[..., [0, 0, 1]] * mean_guide[..., [1, 2, 2]],
        covariance,
    )
    offset = mean_values - (slopes * mean_guide).sum(axis=-1)
    return (mean(slopes) * guide).sum(axis=-1) + mean(offset)


def _solved(
    diagonal: Float[np.ndarray, "h w 3"], beside: Float[np.ndarray, "h w 3"], right: Float[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "h w 3"]:
    """Solutions of symmetric systems of 3 equations; `beside` are the entries 01, 02 and 12. By Cramer's rule."""
    a, d, f = (diagonal[..., k] for k in range(3))
    b, c, e = (beside[..., k] for k in range(3))
    x, y, z = (right[..., k] for k in range(3))
    aa, bb, cc = d * f - e * e, c * e - b * f, b * e - c * d
    dd, ee, ff = a * f - c * c, b * c - a * e, a * d - b * b
    scale = 1 / (a * aa + b * bb + c * cc)
    solution = (aa * x + bb * y + cc * z, bb * x + dd * y + ee * z, cc * x + ee * y + ff * z)
    return np.dstack(solution) * scale[..., None]


def disk(radius: float, height: int) -> UInt8[np.ndarray, "d d"]:
    """A disk for morphology whose radius is a share of an image's height."""
    side = 2 * round(radius * height) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
