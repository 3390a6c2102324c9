"""The tracked head of a frame as a camera sees it, and how well it agrees with what was recorded."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import Frame
from imavatar.head.assets import HeadAssets
from imavatar.head.flame import Flame
from imavatar.head.landmarks import LandmarkEmbedding, flame_keypoints, pupil_weights
from imavatar.rendering.camera import project, view_depth
from imavatar.types import Camera

N_IBUG = 68
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
"""The outlines of the eyes among the 68 iBUG landmarks."""

BOX_MARGIN = 0.05
"""Of the face's height: landmarks along the outline may be a little outside the head's box."""


@dataclass(frozen=True)
class TrackedHead:
    """The posed head of one frame in world space: vertices [v, 3], the right and the left pupil, and its landmarks.

    `landmarks` [68, 3] are None where the head model has no landmark embedding.
    """

    vertices: Float[Tensor, "v 3"]
    pupils: Float[Tensor, "2 3"]
    landmarks: Float[Tensor, "68 3"] | None


@torch.no_grad()
def track_head(flame: Flame, assets: HeadAssets, embedding: LandmarkEmbedding | None, frame: Frame) -> TrackedHead:
    """The head at the recorded expression and pose."""
    vertices = flame.vertices(frame.head)
    index, weights = pupil_weights(assets)
    pupils = torch.einsum("pk,pkc->pc", torch.as_tensor(weights).to(vertices), vertices[0, torch.as_tensor(index)])
    landmarks = None if embedding is None else flame_keypoints(vertices, assets, embedding)[0, :N_IBUG]
    return TrackedHead(vertices[0], pupils, landmarks)


@dataclass(frozen=True)
class Pairs:
    """Points of the head in world space [k, 3], and the pixels [k, 2] at which a recording has them."""

    points: Float[Tensor, "k 3"]
    pixels: Float[np.ndarray, "k 2"]


def landmark_pairs(head: TrackedHead, frame: Frame) -> Pairs:
    """The recorded landmarks; without an embedding the middles of the eyes' outlines, for the pupils."""
    keypoints = frame.keypoints.numpy()
    if head.landmarks is not None:
        return Pairs(head.landmarks, keypoints[:N_IBUG])
    return Pairs(head.pupils, np.stack([keypoints[RIGHT_EYE].mean(axis=0), keypoints[LEFT_EYE].mean(axis=0)]))


def semantic_pairs(head: TrackedHead, frame: Frame) -> Pairs | None:
    """The pupils and the middles of the eyes in the semantic map; None where it does not show both.

    The person's right eye is the one further left in the image.
    """
    if frame.semantics is None:
        return None
    v, u = np.nonzero((frame.semantics.argmax(dim=-1) == SemanticClass.EYES).numpy())
    if len(u) == 0:
        return None
    left = u < (u.min() + u.max()) / 2
    if not left.any() or left.all() or np.ptp(u) < 2 * np.ptp(u[left]):
        return None
    middles = [[u[side].mean(), v[side].mean()] for side in (left, ~left)]
    return Pairs(head.pupils, np.array(middles))


@dataclass(frozen=True)
class Agreement:
    """How one camera's view of the tracked head agrees with a frame.

    `landmark_error` is the mean distance in pixels, `relative_error` the same over the face's height (of the recorded
    landmarks). `in_front`, `in_image` and `on_mask` are shares of the head's vertices; the last is None where the mask
    is empty. `face_within` is the share of the recorded landmarks that are in the box of the head's vertices.
    """

    landmark_error: float
    relative_error: float
    in_front: float
    in_image: float
    on_mask: float | None
    face_within: float


def agreement(head: TrackedHead, pairs: Pairs, camera: Camera, frame: Frame) -> Agreement:
    """Measure one frame under a camera [1 row], which need not be the recorded one."""
    height, width = frame.foreground.shape
    front = (view_depth(camera, head.vertices[None])[0] > 0).numpy()
    pixels = np.nan_to_num(project(camera, head.vertices[None])[0].numpy(), nan=-1e6, posinf=1e6, neginf=-1e6)
    points = project(camera, pairs.points[None])[0].numpy()
    points_front = (view_depth(camera, pairs.points[None])[0] > 0).numpy()
    face = frame.keypoints.numpy()[:N_IBUG]
    face_height = max(float(np.ptp(face[:, 1])), 1.0)
    # A point behind the camera is nowhere in the picture: it counts as the picture's size away.
    distance = np.where(points_front, np.linalg.norm(points - pairs.pixels, axis=-1), max(height, width))
    inside = front & ((pixels >= 0) & (pixels <= [width - 1, height - 1])).all(axis=-1)
    return Agreement(
        landmark_error=float(distance.mean()),
        relative_error=float(distance.mean() / face_height),
        in_front=float(front.mean()),
        in_image=float(inside.mean()),
        on_mask=_on_mask(frame.foreground.numpy(), pixels, inside),
        face_within=_in_box(face, pixels[front], margin=BOX_MARGIN * face_height),
    )


def _in_box(points: Float[np.ndarray, "n 2"], corners: Float[np.ndarray, "k 2"], margin: float) -> float:
    """Share of points in the bounding box of others."""
    if len(corners) == 0:
        return 0.0
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    return float(((points >= low) & (points <= high)).all(axis=-1).mean())


def _on_mask(
    foreground: Bool[np.ndarray, "h w"], pixels: Float[np.ndarray, "n 2"], inside: Bool[np.ndarray, " n"]
) -> float | None:
    """Share of the vertices in the image that are on the foreground."""
    if not foreground.any():
        return None
    if not inside.any():
        return 0.0
    u, v = np.round(pixels[inside]).astype(int).T
    return float(foreground[v, u].mean())
