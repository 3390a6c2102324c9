"""The choice of a landmark detector, and its detections as what the fit works on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar.errors import DataError
from imavatar.preprocessing.face_alignment_backend import FaceAlignmentLandmarker
from imavatar.preprocessing.landmarks import FaceLandmarker, FaceLandmarks

PIXEL_CENTRE = 0.5
"""Detectors give pixels at integer coordinates; the fit counts them from the image's corner."""

LIDS = ((159, 145, 33, 133), (386, 374, 263, 362))
"""Upper lid, lower lid and corners of the right and the left eye."""

CLOSED, OPEN = 0.15, 0.28
"""Distance of the lids over the width of the eye: below the first there is no iris to see."""


BACKENDS = {"mediapipe": FaceLandmarker, "face-alignment": FaceAlignmentLandmarker}


def landmarker(backend: str, folder: Path) -> FaceLandmarker | FaceAlignmentLandmarker:
    """A detector by name; `folder` holds the models."""
    if backend not in BACKENDS:
        raise DataError(f"landmarks {backend!r}: not a known detector; known: {', '.join(BACKENDS)}")
    return BACKENDS[backend](folder)


def single_image_detector(
    detector: FaceLandmarker,
) -> Callable[[np.ndarray], Float[np.ndarray, "468 2"] | None]:
    """Landmarks of unrelated images, in continuous pixels."""

    def detect(rgb: np.ndarray) -> Float[np.ndarray, "468 2"] | None:
        detector.reset()
        found = detector.detect(rgb)
        return None if found is None else found.points + PIXEL_CENTRE

    return detect


def iris_centres(face: FaceLandmarks) -> Float[np.ndarray, "2 2"]:
    """Right and left iris, continuous pixels."""
    return face.irises[:, 0] + PIXEL_CENTRE


def eye_openness(points: Float[np.ndarray, "468 2"]) -> Float[np.ndarray, " 2"]:
    """From 0 (closed: what is found of the iris is a guess) to 1, right and left eye."""

    def distance(a: int, b: int) -> float:
        return float(np.linalg.norm(points[a] - points[b]))

    ratio = [distance(up, low) / max(distance(outer, inner), 1e-6) for up, low, outer, inner in LIDS]
    return np.clip((np.array(ratio) - CLOSED) / (OPEN - CLOSED), 0, 1)
