"""The networks that scores need, as they are installed."""

import logging

import numpy as np
from jaxtyping import Float, UInt8

from imavatar.errors import ImavatarError
from imavatar.evaluation.lpips import load_lpips
from imavatar.evaluation.metrics import Detector
from imavatar.evaluation.scoring import Networks
from imavatar.head.mesh_points import IBUG_FROM_MESH

logger = logging.getLogger(__name__)


def load_networks() -> Networks:
    """LPIPS and the landmark detector, as far as they are installed."""
    return Networks(load_lpips(), keypoint_detector())


def keypoint_detector() -> Detector | None:
    """Finds the 68 iBUG points of an image, in pixels; None, with a warning, where its models are not installed."""
    try:
        from imavatar.preprocessing.landmarks import FaceLandmarker

        landmarker = FaceLandmarker()
    except (ImportError, ImavatarError) as error:
        logger.warning("keypoint error skipped: %s", error)
        return None

    def detect(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "68 2"] | None:
        landmarker.reset()
        found = landmarker.detect(rgb)
        return None if found is None else found.points[list(IBUG_FROM_MESH)]

    return detect
