"""A matte of zeros and ones from a small model and colours: what is used where the larger model is missing."""

import functools

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.assets import asset_path
from imavatar.preprocessing.matting import PERSON_ALPHA
from imavatar.preprocessing.tflite import TfliteModel

REFINE_RADIUS, REFINE_EPS = 6, 1e-4
"""Guided filter at the model's own resolution: edges of the matte follow those of the image."""
LOW, HIGH = 0.2, 0.8
"""The network's values that become 0 and 1."""
DOUBT_INSIDE, DOUBT_OUTSIDE = 0.03, 0.02
"""Of the image's height: how far the network's outline may be from the true one, on either side."""
COLOUR_ROUNDS = 2
MIN_SURE_PIXELS = 50
"""Of the person and of the background each; with fewer there is nothing to learn colours from."""
OUTLINE_SIGMA = 0.01
"""Of the image's height: standard deviation of the Gaussian that smooths an outline found by colours."""
STRAND_WIDTH = 0.02
"""Of the image's height: what is thinner, single strands above all, is no part of a surface."""


class ColourMatting:
    """Image -> alpha in [0, 1], by the selfie segmentation model; its outline moved to where the colours change.

    Raises:
        AssetError: the model has not been fetched.
    """

    def __init__(self):
        self._model = TfliteModel(asset_path("selfie_segmentation"))

    def __call__(self, rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
        """Alpha of an image."""
        height, width = rgb.shape[:2]
        size = self._model.input_size
        small = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA)
        image = small.astype(np.float32) / 255
        alpha = self._model(image)[0][:, :, 0]
        alpha = guided_filter(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), alpha)
        alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_CUBIC)
        alpha = clean_matte(np.clip((alpha - LOW) / (HIGH - LOW), 0, 1))
        return clean_matte(outline_by_colour(rgb, alpha))


def guided_filter(guide: Float[np.ndarray, "h w"], values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Values smoothed by local linear functions of a guide image."""
    mean = functools.partial(cv2.boxFilter, ddepth=-1, ksize=(2 * REFINE_RADIUS + 1,) * 2)
    mean_guide, mean_values = mean(guide), mean(values)
    covariance = mean(guide * values) - mean_guide * mean_values
    variance = mean(guide * guide) - mean_guide**2
    slope = covariance / (variance + REFINE_EPS)
    return mean(slope) * guide + mean(mean_values - slope * mean_guide)


def outline_by_colour(rgb: UInt8[np.ndarray, "h w 3"], alpha: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """A matte of zeros and ones whose outline is where the colours of person and background part (GrabCut).

    The network's outline has the resolution of its small input, and halos around hair that come and go. What is
    farther from it than the doubt remains as it is, whatever its colour. Along hair colours part at every strand, in
    each frame at others: the outline is smoothed.
    """
    person = (alpha > PERSON_ALPHA).astype(np.uint8)
    sure_person = cv2.erode(person, _disk(DOUBT_INSIDE, len(alpha)))
    sure_background = cv2.dilate(person, _disk(DOUBT_OUTSIDE, len(alpha))) == 0
    if min(sure_person.sum(), sure_background.sum()) < MIN_SURE_PIXELS:
        return person.astype(np.float32)
    labels = np.where(person == 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[sure_person == 1] = cv2.GC_FGD
    labels[sure_background] = cv2.GC_BGD
    # Its mixtures of colours start from random clusters: the same frame shall give the same matte.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(rgb), labels, None, *models, COLOUR_ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    smooth = cv2.GaussianBlur(person, (0, 0), OUTLINE_SIGMA * len(alpha), borderType=cv2.BORDER_REPLICATE)
    return (smooth > PERSON_ALPHA).astype(np.float32)


def clean_matte(alpha: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The largest connected part without holes and strands; what is not connected to it becomes background."""
    alpha = _without_strands(alpha)
    solid = (alpha > PERSON_ALPHA).astype(np.uint8)
    count, label, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count <= 1:
        return np.zeros_like(alpha)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    person = (label == largest).astype(np.uint8)
    contours, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(person), contours, -1, 1, cv2.FILLED)
    holes = (filled == 1) & (person == 0)
    near = cv2.dilate(filled, np.ones((5, 5), np.uint8)) == 1
    cleaned = np.where(near, alpha, 0.0)
    cleaned[holes] = 1.0
    return cleaned.astype(np.float32)


def _without_strands(alpha: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Alpha after a morphological opening; the image's border does not count as an end of the person."""
    disk = _disk(STRAND_WIDTH / 2, len(alpha))
    side = len(disk)
    padded = np.pad(alpha.astype(np.float32), side, mode="edge")
    opened = cv2.dilate(cv2.erode(padded, disk), disk)
    return np.minimum(alpha, opened[side:-side, side:-side])


def _disk(radius: float, height: int) -> UInt8[np.ndarray, "d d"]:
    """A disk for morphology whose radius is a share of an image's height."""
    side = 2 * round(radius * height) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
