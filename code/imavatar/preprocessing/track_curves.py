"""What a fit says of every frame: apertures, pose, gaze and error, as curves that are looked at and judged."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from imavatar.anatomy import MM_PER_UNIT, Joint, pose_slice
from imavatar.head.apertures import apertures
from imavatar.head.mesh_points import LEFT_EYE_CORNERS, LIPS_OUTER, RIGHT_EYE_CORNERS
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.tracking import TrackingResult

CM_PER_UNIT = MM_PER_UNIT / 10
MOUTH_CORNERS = (LIPS_OUTER[0], LIPS_OUTER[10])
"""Right and left."""
BROWS = ((105, RIGHT_EYE_CORNERS), (334, LEFT_EYE_CORNERS))
"""The middle of each one's upper edge, and the corners of the eye below."""


@dataclass(frozen=True)
class TrackCurves:
    """A row for each frame that was fitted, in the order of the observations.

    Attributes:
        video, time: the frame's recording, and its number there.
        valid: whether its fit can be trusted.
        detected, fitted: apertures of the right and left lids and of the lips, shares of the face's height.
        rotation: yaw (positive: to the person's left), pitch (up) and roll (to the person's right shoulder) of the head
            in degrees, against a head that faces the camera.
        position: of the head in the camera's frame: right in the picture, up, and the distance; centimetres.
        gaze: of the right and left eye in the head: to the person's left, and up; degrees.
        mouth_width, brow_height: from corner to corner, and of the brows' middles above the eyes' corners; over the
            distance of the eyes' outer corners, detected.
        error: mean distance of the landmarks, share of the face's height.
        face_height: pixels of the written images.
    """

    video: Int[np.ndarray, " n"]
    time: Int[np.ndarray, " n"]
    valid: Bool[np.ndarray, " n"]
    detected: Float[np.ndarray, "n 3"]
    fitted: Float[np.ndarray, "n 3"]
    rotation: Float[np.ndarray, "n 3"]
    position: Float[np.ndarray, "n 3"]
    gaze: Float[np.ndarray, "n 2 2"]
    mouth_width: Float[np.ndarray, " n"]
    brow_height: Float[np.ndarray, " n"]
    error: Float[np.ndarray, " n"]
    face_height: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.time)

    def rows(self, which: Bool[np.ndarray, " n"]) -> "TrackCurves":
        """The curves of some frames."""
        return TrackCurves(**{name: values[which] for name, values in vars(self).items()})


def track_curves(observations: Observations, result: TrackingResult) -> TrackCurves:
    """The curves of a fit."""
    height = observations.face_height[:, None]
    position = result.translation * [1, 1, -1]
    seen = observations.landmarks
    across = np.linalg.norm(seen[:, RIGHT_EYE_CORNERS[0]] - seen[:, LEFT_EYE_CORNERS[0]], axis=-1)
    brows = [np.linalg.norm(seen[:, brow] - seen[:, list(eye)].mean(axis=1), axis=-1) for brow, eye in BROWS]
    return TrackCurves(
        video=observations.video,
        time=observations.time,
        valid=result.valid,
        detected=apertures(seen) / height,
        fitted=apertures(result.landmarks) / height,
        rotation=_head_rotation(result.pose, position),
        position=CM_PER_UNIT * position,
        gaze=_gaze(result.pose),
        mouth_width=np.linalg.norm(seen[:, MOUTH_CORNERS[0]] - seen[:, MOUTH_CORNERS[1]], axis=-1) / across,
        brow_height=(brows[0] + brows[1]) / 2 / across,
        error=result.relative_error,
        face_height=observations.face_height,
    )


def _head_rotation(pose: Float[np.ndarray, "n 15"], position: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Yaw, pitch and roll in degrees; a head beside the picture's middle faces the camera if it is turned to it."""
    head = _rotation(pose, Joint.GLOBAL) * _rotation(pose, Joint.NECK)
    right, up, away = position.T
    aside, below = np.arctan2(-right, away), np.arctan2(up, np.hypot(right, away))
    to_camera = Rotation.from_euler("YX", np.stack([aside, below], axis=1))
    yaw, down, roll = (to_camera.inv() * head).as_euler("YXZ", degrees=True).T
    return np.stack([yaw, -down, roll], axis=1)


def _gaze(pose: Float[np.ndarray, "n 15"]) -> Float[np.ndarray, "n 2 2"]:
    """Of the right and left eye in the head, to the left and up, degrees."""
    looks = np.stack([_rotation(pose, eye).apply([0.0, 0.0, 1.0]) for eye in (Joint.RIGHT_EYE, Joint.LEFT_EYE)], axis=1)
    x, y, z = np.moveaxis(looks, -1, 0)
    return np.degrees(np.stack([np.arctan2(x, z), np.arcsin(y.clip(-1, 1))], axis=-1))


def _rotation(pose: Float[np.ndarray, "n 15"], joint: Joint) -> Rotation:
    return Rotation.from_rotvec(np.asarray(pose, np.float64)[:, pose_slice(joint)])
