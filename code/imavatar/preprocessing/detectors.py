"""The choice of a landmark detector, and its detections as what the fit works on.

The optional 2D face alignment network works on top of the face mesh, of which the tracker needs all 468 points: those
that have a counterpart among iBUG's inner 51 (brows, nose, eyes, lips) are replaced by the network's. The outline stays
the mesh's: iBUG's follows the visible contour, which is no fixed place on a head.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike

from imavatar.data.workplace import alone
from imavatar.errors import AssetError, DataError
from imavatar.files.locks import LOCK_FILE
from imavatar.head.assets import HeadAssets
from imavatar.head.detector_bias import DetectorBias, bias_path, load_bias, measure_bias, save_bias
from imavatar.head.landmark_casting import Detector
from imavatar.head.landmarks import LandmarkEmbedding, compute_embedding, embedding_path, load_embedding, save_embedding
from imavatar.head.mesh_points import IBUG_FROM_MESH
from imavatar.preprocessing.detection import Box
from imavatar.preprocessing.landmarks import PIXEL_CENTRE, FaceLandmarker, FaceLandmarks, Image, Points
from imavatar.preprocessing.observations import Observations

logger = logging.getLogger(__name__)

N_OUTLINE = 17
WEIGHT_FILES = ("2DFAN4-11f355bf06.pth.tar", "s3fd-619a316812.pth")
"""What the package face-alignment downloads at its first use."""

LIDS = ((159, 145, 33, 133), (386, 374, 263, 362))
"""Upper lid, lower lid and corners of the right and the left eye."""

CLOSED, OPEN = 0.15, 0.28
"""Distance of the lids over the width of the eye: below the first there is no iris to see."""


class FaceAlignmentLandmarker:
    """Finds landmarks as `FaceLandmarker` does, refined by the face alignment network.

    Raises:
        AssetError: the package is not installed, or its weights cannot be downloaded.
    """

    def __init__(self):
        self._mesh = FaceLandmarker()
        try:
            import face_alignment
        except ImportError as error:
            needed = "a package that is not installed; run: pip install -e .[face-alignment]"
            raise AssetError(f"--landmarks face-alignment needs {needed}") from error
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._network = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device=device)
        except OSError as error:
            folder = Path(torch.hub.get_dir()) / "checkpoints"
            raise AssetError(
                f"the weights of face-alignment could not be downloaded ({error}); put {' and '.join(WEIGHT_FILES)} "
                f"into {folder}, or use --landmarks mediapipe"
            ) from error

    def reset(self) -> None:
        """Forget where the face was."""
        self._mesh.reset()

    def detect(self, rgb: Image, near: Box | None = None) -> FaceLandmarks | None:
        """Landmarks of an image, or None where no face is found; `near` as of `FaceLandmarker.detect`."""
        found = self._mesh.detect(rgb, near)
        if found is None:
            return None
        box = [*found.points.min(axis=0), *found.points.max(axis=0)]
        faces = self._network.get_landmarks_from_image(rgb, detected_faces=[box])
        if not faces:
            return found
        points = found.points.copy()
        points[list(IBUG_FROM_MESH[N_OUTLINE:])] = np.asarray(faces[0])[N_OUTLINE:, :2]
        return replace(found, points=points)


MEASURED = "mediapipe"
"""The detector whose landmarks on a head model, and whose errors there, are known."""
BACKENDS = {MEASURED: FaceLandmarker, "face-alignment": FaceAlignmentLandmarker}


def landmarker(backend: str) -> FaceLandmarker | FaceAlignmentLandmarker:
    """A detector by name.

    Raises:
        DataError: there is none of that name.
        AssetError: its models have not been fetched, or its package is not installed.
    """
    if backend not in BACKENDS:
        raise DataError(f"landmarks {backend!r}: not a known detector; known: {', '.join(BACKENDS)}")
    return BACKENDS[backend]()


def single_image_detector(detector: FaceLandmarker | FaceAlignmentLandmarker) -> Detector:
    """Landmarks of unrelated images, then the right and left pupil, in continuous pixels."""

    def detect(rgb: Image) -> Float[np.ndarray, "470 2"] | None:
        detector.reset()
        found = detector.detect(rgb)
        return None if found is None else np.concatenate([found.points, found.irises[:, 0]]) + PIXEL_CENTRE

    return detect


def head_landmarks(head_path: Path, assets: HeadAssets) -> tuple[LandmarkEmbedding, DetectorBias]:
    """The landmarks of a head model, and how the detector errs on it; measured and kept beside it at the first use.

    Raises:
        AssetError: a model of the detector has not been fetched, or a kept file is damaged or of another head.
        BusyError: another process is writing beside the head model.
    """
    measure_landmarks(head_path, lambda: assets)
    return load_embedding(embedding_path(head_path), assets), load_bias(bias_path(head_path))


def measure_landmarks(head_path: Path, load: Callable[[], HeadAssets]) -> None:
    """Find the landmarks of a head model, and how the detector errs on it, where that is not kept beside it.

    Args:
        load: the head model, where it is needed.

    Raises:
        AssetError: a model of the detector has not been fetched, or a kept file is damaged or of another head.
        BusyError: another process is writing beside the head model.
    """
    if all(path.is_file() for path in (embedding_path(head_path), bias_path(head_path))):
        return
    with alone(head_path.with_name(LOCK_FILE), "the search for a head model's landmarks"):
        _measure(head_path, load())


def _measure(head_path: Path, assets: HeadAssets) -> None:
    """Make the files that are missing: another process may have made them since."""
    detect, path = single_image_detector(landmarker(MEASURED)), embedding_path(head_path)
    if not path.is_file():
        logger.info("finding the landmarks of %s ...", head_path)
        save_embedding(path, compute_embedding(assets, detect), assets)
    if not bias_path(head_path).is_file():
        logger.info("measuring how the detector of landmarks errs on %s ...", head_path)
        save_bias(bias_path(head_path), measure_bias(assets, load_embedding(path, assets), detect))


def eye_openness(points: Points) -> Float[np.ndarray, " 2"]:
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
        irises=np.stack([face.irises[:, 0] for face in faces]) + PIXEL_CENTRE,
        iris_weight=np.stack([eye_openness(face.points) for face in faces]),
        video=np.asarray(video),
        time=np.asarray(time),
        size=size,
        principal_point=principal_point,
    )
