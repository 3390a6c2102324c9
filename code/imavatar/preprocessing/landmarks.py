"""Landmarks of a face: 468 points of a face mesh and the irises, followed from frame to frame."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.assets import asset_path
from imavatar.head.landmarks import N_LANDMARKS
from imavatar.head.mesh_points import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from imavatar.preprocessing.detection import Box, Detection, FaceDetector, overlap
from imavatar.preprocessing.face_mesh import N_IRIS_POINTS, FaceMesh

PIXEL_CENTRE = 0.5
"""Landmarks are pixels at integer coordinates; continuous pixels are counted from the image's corner."""
FACE_MARGIN = 1.5
"""Side of the crop over the longer side of the face's box."""
MIN_SCORE = 0.5
N_REFINEMENTS = 2
SAME_PLACE = 0.15
"""Overlap of two boxes from which on they can be of the same face."""

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

    def to_image(self, size: int) -> Float[np.ndarray, "2 3"]:
        """Affine map from a crop of `size` pixels to the image."""
        scale = self.side / size
        cos, sin = scale * np.cos(self.angle), scale * np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        middle = np.full(2, (size - 1) / 2)
        return np.concatenate([linear, (self.centre - linear @ middle)[:, None]], axis=1)

    def crop(self, rgb: Image, size: int) -> Float[np.ndarray, "s s 3"]:
        """The square as an image in [0, 1]; black outside the image."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(rgb, self.to_image(size), (size, size), flags=flags)
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


def region_of_box(box: Box) -> Region:
    """The square around an upright face's box."""
    return Region((box[:2] + box[2:]) / 2, FACE_MARGIN * float((box[2:] - box[:2]).max()), 0.0)


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
    """Finds the landmarks of a face; knows where it was in the frame before.

    Raises:
        AssetError: a model has not been fetched.
    """

    def __init__(self):
        self._detector = FaceDetector(asset_path("face_detector"))
        self._mesh = FaceMesh(asset_path("face_landmarker"))
        self._last: Points | None = None

    def reset(self) -> None:
        """Forget where the face was: the next image has nothing to do with the last."""
        self._last = None

    def detect(self, rgb: Image, near: Box | None = None) -> FaceLandmarks | None:
        """Landmarks of an image, or None where no face is found.

        Args:
            near: where the face is about, pixels. Faces elsewhere are not taken for it. None: the largest face.
        """
        found = None if self._last is None else self._in_region(rgb, region_of_points(self._last))
        if not _is_near(found, near):
            found = self._from_scratch(rgb, near)
        self._last = None if found is None else found.points
        return found

    def refine(self, rgb: Image, region: Region) -> FaceLandmarks | None:
        """Landmarks of the face in a region that is known roughly, or None where the model sees none."""
        found = self._in_region(rgb, region)
        for _ in range(N_REFINEMENTS):
            found = found and self._in_region(rgb, region_of_points(found.points))
        return found

    def _from_scratch(self, rgb: Image, near: Box | None) -> FaceLandmarks | None:
        detections = self._detector.detect(rgb)
        if near is not None:
            detections = [d for d in detections if overlap(d.box, near) > SAME_PLACE]
            detections.sort(key=lambda d: -overlap(d.box, near))
        regions = [region_of_detection(d) for d in detections[:1]]
        if near is not None:
            regions.append(region_of_box(near))
        found = (self.refine(rgb, region) for region in regions)
        return next((face for face in found if _is_near(face, near)), None)

    def _in_region(self, rgb: Image, region: Region) -> FaceLandmarks | None:
        """The face in a region, or None where the model sees none."""
        size = self._mesh.input_size
        crop_points, logit = self._mesh(region.crop(rgb, size))
        score = float(1 / (1 + np.exp(-logit)))
        if score < MIN_SCORE:
            return None
        points = apply_affine(region.to_image(size), crop_points)
        return FaceLandmarks(points[:N_LANDMARKS], points[N_LANDMARKS:].reshape(2, N_IRIS_POINTS, 2), score)


def box_of(points: Points) -> Box:
    """The smallest box around landmarks."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _is_near(found: FaceLandmarks | None, near: Box | None) -> bool:
    """Whether there is a face, and where it is looked for."""
    return found is not None and (near is None or overlap(box_of(found.points), near) > SAME_PLACE)


def _angle(left: Float[np.ndarray, " 2"], right: Float[np.ndarray, " 2"]) -> float:
    """Clockwise angle (y down) of the line from the image's left to its right, radians."""
    x, y = right - left
    return float(np.arctan2(y, x))
