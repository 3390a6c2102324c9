"""An optional landmark detector: the 2D face alignment network, on top of the face mesh.

The tracker needs the face mesh's 468 points; this backend replaces those of them that have a
counterpart among iBUG's inner 51 (brows, nose, eyes, lips) by the network's. The outline stays the
mesh's: iBUG's follows the visible contour, which is no fixed place on a head.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from jaxtyping import UInt8

from imavatar.errors import AssetError
from imavatar.head.mesh_points import IBUG_FROM_MESH
from imavatar.preprocessing.landmarks import FaceLandmarker, FaceLandmarks

N_OUTLINE = 17
WEIGHT_FILES = ("2DFAN4-11f355bf06.pth.tar", "s3fd-619a316812.pth")
"""What the package downloads at its first use."""


class FaceAlignmentLandmarker:
    """Finds landmarks as `FaceLandmarker` does, refined by the face alignment network.

    Raises:
        AssetError: the package is not installed, or its weights cannot be downloaded.
    """

    def __init__(self):
        self._mesh = FaceLandmarker()
        self._network = _load_network()

    def reset(self) -> None:
        """Forget where the face was."""
        self._mesh.reset()

    def detect(self, rgb: UInt8[np.ndarray, "h w 3"]) -> FaceLandmarks | None:
        """Landmarks of an image, or None where no face is found."""
        found = self._mesh.detect(rgb)
        if found is None:
            return None
        box = [*found.points.min(axis=0), *found.points.max(axis=0)]
        faces = self._network.get_landmarks_from_image(rgb, detected_faces=[box])
        if not faces:
            return found
        points = found.points.copy()
        points[list(IBUG_FROM_MESH[N_OUTLINE:])] = np.asarray(faces[0])[N_OUTLINE:, :2]
        return replace(found, points=points)


def _load_network() -> Any:
    try:
        import face_alignment
    except ImportError as error:
        raise AssetError(
            "--landmarks face-alignment needs a package that is not installed; run: pip install -e .[face-alignment]"
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device=device)
    except (URLError, OSError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise AssetError(
            f"the weights of face-alignment could not be downloaded ({error}); put {' and '.join(WEIGHT_FILES)} into "
            f"{folder}, or use --landmarks mediapipe"
        ) from error
