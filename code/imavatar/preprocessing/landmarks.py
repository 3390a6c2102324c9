"""Landmarks of a face: 468 points of a face mesh and the irises, followed from frame to frame."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.assets import asset_path
from imavatar.head.mesh_points import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from imavatar.preprocessing.attention_mesh import AttentionMesh
from imavatar.preprocessing.detection import Detection, FaceDetector
from imavatar.preprocessing.tflite import TfliteModel

PIXEL_CENTRE = 0.5
"""Landmarks are pixels at integer coordinates; continuous pixels are counted from the image's corner."""
FACE_MARGIN, EYE_MARGIN = 1.5, 2.3
"""Side of the crop over the longer side of the face's box, and over the width of the eye."""
MIN_SCORE = 0.5
N_REFINEMENTS = 2

Image: TypeAlias = UInt8[np.ndarray, "h w 3"]
Points: TypeAlias = Float[np.ndarray, "468 2"]


@dataclass(frozen=True)
class FaceLandmarks:
    """Pixels (x, y) of the image, y down.

    `irises` are the subject's right and left one: the centre, then four points of its rim. `score`
    is the model's confidence that there is a face.
    """

    points: Points
    irises: Float[np.ndarray, "2 5 2"]
    score: float


@dataclass(frozen=True)
class Region:
    """A rotated square of the image: centre (pixels), side (pixels), angle (radians, clockwise)."""

    centre: Float[np.ndarray, " 2"]
    side: float
    angle: float

    def to_image(self, size: int, *, mirrored: bool = False) -> Float[np.ndarray, "2 3"]:
        """Affine map from a crop of `size` pixels to the image; mirrored crops run right to left."""
        scale = self.side / size
        cos, sin = scale * np.cos(self.angle), scale * np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        if mirrored:
            linear[:, 0] *= -1
        middle = np.full(2, (size - 1) / 2)
        return np.concatenate([linear, (self.centre - linear @ middle)[:, None]], axis=1)

    def crop(self, rgb: Image, size: int, *, mirrored: bool = False) -> Float[np.ndarray, "s s 3"]:
        """The square as an image in [0, 1]; black outside the image."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(rgb, self.to_image(size, mirrored=mirrored), (size, size), flags=flags)
        return crop.astype(np.float32) / 255


def apply_affine(matrix: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"]:
    """Points under an affine map."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def region_of_detection(detection: Detection) -> Region:
    """The square around a detected face, turned with its eyes."""
    right_eye, left_eye = detection.points[:2]
    extent = detection.box[2:] - detection.box[:2]
    centre = (detection.box[:2] + detection.box[2:]) / 2
    return Region(centre, FACE_MARGIN * float(extent.max()), _angle(right_eye, left_eye))


def region_of_points(points: Points) -> Region:
    """The square around known landmarks, turned with the outer corners of the eyes."""
    angle = _angle(points[RIGHT_EYE_CORNERS[0]], points[LEFT_EYE_CORNERS[0]])
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.array([[cos, sin], [-sin, cos]])
    upright = points @ axes.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = axes.T @ ((low + high) / 2)
    return Region(centre, FACE_MARGIN * float((high - low).max()), angle)


class FaceLandmarker:
    """Finds the landmarks of the largest face; knows where it was in the frame before.

    Raises:
        AssetError: a model has not been fetched.
    """

    def __init__(self):
        self._detector = FaceDetector(asset_path("face_detector"))
        self._landmarks = AttentionMesh(asset_path("face_landmark_with_attention"))
        self._iris = TfliteModel(asset_path("iris_landmark"))
        self._last: Points | None = None

    def reset(self) -> None:
        """Forget where the face was: the next image has nothing to do with the last."""
        self._last = None

    def detect(self, rgb: Image) -> FaceLandmarks | None:
        """Landmarks of an image, or None where no face is found."""
        found = None if self._last is None else self._in_region(rgb, region_of_points(self._last))
        found = found or self._from_scratch(rgb)
        self._last = None if found is None else found[0]
        if found is None:
            return None
        points, score = found
        right = self._iris_points(rgb, points, RIGHT_EYE_CORNERS, mirrored=False)
        left = self._iris_points(rgb, points, LEFT_EYE_CORNERS, mirrored=True)
        return FaceLandmarks(points, np.stack([right, left]), score)

    def _from_scratch(self, rgb: Image) -> tuple[Points, float] | None:
        detection = self._detector.detect(rgb)
        if detection is None:
            return None
        found = self._in_region(rgb, region_of_detection(detection))
        for _ in range(N_REFINEMENTS):
            found = found and self._in_region(rgb, region_of_points(found[0]))
        return found

    def _in_region(self, rgb: Image, region: Region) -> tuple[Points, float] | None:
        """Points and score of the face in a region, or None where the model sees none."""
        size = self._landmarks.input_size
        crop_points, logit = self._landmarks(region.crop(rgb, size))
        score = 1 / (1 + np.exp(-logit))
        if score < MIN_SCORE:
            return None
        return apply_affine(region.to_image(size), crop_points), score

    def _iris_points(
        self, rgb: Image, points: Points, corners: tuple[int, int], *, mirrored: bool
    ) -> Float[np.ndarray, "5 2"]:
        """The model knows the eye on the left of the image; the other one is mirrored."""
        outer, inner = points[corners[0]], points[corners[1]]
        ends = (inner, outer) if mirrored else (outer, inner)
        side = EYE_MARGIN * float(np.linalg.norm(inner - outer))
        region = Region((outer + inner) / 2, max(side, 1.0), _angle(*ends))
        size = self._iris.input_size
        iris = self._iris(region.crop(rgb, size, mirrored=mirrored))[1]
        crop_points = iris.reshape(5, 3)[:, :2].astype(np.float64)
        return apply_affine(region.to_image(size, mirrored=mirrored), crop_points)


def _angle(left: Float[np.ndarray, " 2"], right: Float[np.ndarray, " 2"]) -> float:
    """Clockwise angle (y down) of the line from the image's left to its right, radians."""
    x, y = right - left
    return float(np.arctan2(y, x))
