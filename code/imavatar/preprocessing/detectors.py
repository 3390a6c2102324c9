"""The choice of a landmark detector, and its detections as what the fit works on."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import ArrayLike

from imavatar.errors import DataError
from imavatar.preprocessing.face_alignment_backend import FaceAlignmentLandmarker
from imavatar.preprocessing.fit_problem import Observations
from imavatar.preprocessing.landmarks import PIXEL_CENTRE, FaceLandmarker, FaceLandmarks

LIDS = ((159, 145, 33, 133), (386, 374, 263, 362))
"""Upper lid, lower lid and corners of the right and the left eye."""

CLOSED, OPEN = 0.15, 0.28
"""Distance of the lids over the width of the eye: below the first there is no iris to see."""


BACKENDS = {"mediapipe": FaceLandmarker, "face-alignment": FaceAlignmentLandmarker}


def landmarker(backend: str) -> FaceLandmarker | FaceAlignmentLandmarker:
    """A detector by name.

    Raises:
        DataError: there is none of that name.
        AssetError: its models have not been fetched, or its package is not installed.
    """
    if backend not in BACKENDS:
        raise DataError(f"landmarks {backend!r}: not a known detector; known: {', '.join(BACKENDS)}")
    return BACKENDS[backend]()


def single_image_detector(
    detector: FaceLandmarker | FaceAlignmentLandmarker,
) -> Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, "468 2"] | None]:
    """Landmarks of unrelated images, in continuous pixels."""

    def detect(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "468 2"] | None:
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


def observe(
    faces: Sequence[FaceLandmarks],
    video: ArrayLike,
    time: ArrayLike,
    size: tuple[int, int],
    principal_point: tuple[float, float] | None = None,
) -> Observations:
    """The detections in all frames of a subject as one problem.

    Args:
        faces: one a frame.
        video, time: of each frame its recording and its number there.
        size: height and width of the images, pixels.
        principal_point: continuous pixels; None is the middle of the image.
    """
    return Observations(
        landmarks=np.stack([face.points for face in faces]) + PIXEL_CENTRE,
        irises=np.stack([iris_centres(face) for face in faces]),
        iris_weight=np.stack([eye_openness(face.points) for face in faces]),
        video=np.asarray(video),
        time=np.asarray(time),
        size=size,
        principal_point=principal_point,
    )
