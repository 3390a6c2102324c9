"""Finds the faces of an image: a single-shot detector with fixed anchors."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.preprocessing.tflite import TfliteModel

LAYERS = ((16, 2), (8, 6))
"""Cells along each side of the two grids of anchors, and anchors a cell."""

MIN_SCORE = 0.5
OVERLAP = 0.3
MAX_LOGIT = 80.0

Box: TypeAlias = Float[np.ndarray, " 4"]
"""x_min, y_min, x_max, y_max."""


@dataclass(frozen=True)
class Detection:
    """A face: box as x_min, y_min, x_max, y_max and six points, in pixels of the image.

    The points are the right eye, left eye, nose, mouth, right ear and left ear; right and left are the subject's own.
    """

    box: Box
    points: Float[np.ndarray, "6 2"]
    score: float


def anchor_centres() -> Float[np.ndarray, "896 2"]:
    """Centres of the anchors as shares of the image's side, in the order of the model's outputs."""
    centres = []
    for n_cells, n_anchors in LAYERS:
        steps = (np.arange(n_cells) + 0.5) / n_cells
        centres.append(np.repeat([(x, y) for y in steps for x in steps], n_anchors, axis=0))
    return np.concatenate(centres)


def decode(regressors: Float[np.ndarray, "896 16"], logits: Float[np.ndarray, " 896"], size: int) -> list[Detection]:
    """Detections above the score's threshold, in shares of the (square) input's side.

    Boxes come as offsets of the centre from the anchor and as sizes, points as offsets, all in
    pixels of the model's input of side `size`.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits, -MAX_LOGIT, MAX_LOGIT)))
    anchors = anchor_centres()
    detections = []
    for row in np.flatnonzero(scores >= MIN_SCORE):
        values = regressors[row].reshape(8, 2) / size
        centre, extent = values[0] + anchors[row], values[1]
        box = np.concatenate([centre - extent / 2, centre + extent / 2])
        detections.append(Detection(box, values[2:] + anchors[row], float(scores[row])))
    return detections


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    extent = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    intersection = float(np.prod(np.maximum(extent, 0)))
    union = sum(float(np.prod(box[2:] - box[:2])) for box in (first, second)) - intersection
    return intersection / union if union > 0 else 0.0


def merge(detections: list[Detection]) -> list[Detection]:
    """Overlapping detections as one each: means weighted by score."""
    left = sorted(detections, key=lambda detection: -detection.score)
    merged = []
    while left:
        best = left[0]
        same = [d for d in left if overlap(best.box, d.box) > OVERLAP or d is best]
        left = [d for d in left if all(d is not member for member in same)]
        weight = np.array([d.score for d in same])
        weight = weight / weight.sum()
        box = np.einsum("d,dk->k", weight, np.stack([d.box for d in same]))
        points = np.einsum("d,dpk->pk", weight, np.stack([d.points for d in same]))
        merged.append(Detection(box, points, best.score))
    return merged


def box_side(box: Box) -> float:
    """Side of the square that is as large as a box."""
    return float(np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 0))))


class FaceDetector:
    """Image -> its faces, the largest first. Those of less than a seventh of the image's longer side are missed."""

    def __init__(self, path: Path):
        self._model = TfliteModel(path)

    def detect(self, rgb: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """The faces of an image."""
        height, width = rgb.shape[:2]
        side = max(height, width)
        left, top = (side - width) // 2, (side - height) // 2
        square = np.zeros((side, side, 3), dtype=np.uint8)
        square[top : top + height, left : left + width] = rgb
        size = self._model.input_size
        resized = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
        regressors, logits = self._model(resized.astype(np.float32) / 127.5 - 1)
        corner = np.array([left, top])
        found = [
            Detection(d.box * side - np.concatenate([corner, corner]), d.points * side - corner, d.score)
            for d in merge(decode(regressors, logits[:, 0], size))
        ]
        return sorted(found, key=lambda detection: -box_side(detection.box))
