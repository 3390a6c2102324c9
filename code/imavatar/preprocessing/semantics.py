"""Coarse face-parsing labels from a matte and landmarks: no parsing network is needed.

Lips, eyes, brows and mouth follow the landmarks; the rest is told by place and colour: skin inside
the outline of the face and, below it, what looks like it; hair around and above; cloth below.
"""

from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, Float, Real, UInt8

from imavatar.anatomy import ParsingLabel
from imavatar.head import mesh_points
from imavatar.preprocessing.landmarks import FaceLandmarks, Image
from imavatar.preprocessing.matting import PERSON_ALPHA

Mask: TypeAlias = Bool[np.ndarray, "h w"]

LOOPS = (
    (ParsingLabel.LEFT_BROW, mesh_points.LEFT_BROW),
    (ParsingLabel.RIGHT_BROW, mesh_points.RIGHT_BROW),
    (ParsingLabel.LEFT_EYE, mesh_points.LEFT_EYE),
    (ParsingLabel.RIGHT_EYE, mesh_points.RIGHT_EYE),
    (ParsingLabel.UPPER_LIP, (*mesh_points.UPPER_LIP_OUTER, *reversed(mesh_points.UPPER_LIP_INNER))),
    (ParsingLabel.LOWER_LIP, (*mesh_points.LOWER_LIP_OUTER, *reversed(mesh_points.LOWER_LIP_INNER))),
    (ParsingLabel.MOUTH_INTERIOR, mesh_points.LIPS_INNER),
)
"""Labels and closed loops of landmarks, painted in this order."""

CHIN, FOREHEAD = 152, 10
SKIN_DISTANCE = 3.0
"""Mahalanobis distance from the face's colours within which a pixel looks like skin."""
NECK_REACH = 0.45
"""How far below the chin bare skin is looked for, in heights of the face."""
FOREHEAD_REACH = 0.25
FOREHEAD_HALF_WIDTH = 0.3
"""Where skin is looked for above the outline, in heights of the face."""
HAIR_DISTANCE = 2.5
FOREHEAD_DISTANCE = 1.5
"""Hair is nearer to the forehead's colours than cloth is to the neck's."""


def label_semantics(
    alpha: Float[np.ndarray, "h w"], face: FaceLandmarks, rgb: Image | None = None
) -> UInt8[np.ndarray, "h w"]:
    """Face-parsing labels of the person's pixels; 0 elsewhere. Without `rgb` the neck's skin is told by place alone."""
    height, width = alpha.shape
    labels = np.zeros((height, width), dtype=np.uint8)
    person = alpha > PERSON_ALPHA
    rows = np.arange(height)[:, None]
    chin, top = face.points[CHIN], face.points[FOREHEAD]
    size = float(np.linalg.norm(chin - top))
    labels[person] = ParsingLabel.HAIR
    labels[person & (rows > chin[1])] = ParsingLabel.CLOTH
    outline = fill(face.points[list(mesh_points.FACE_OVAL)], height, width)
    neck = _neck(face, outline, size, rgb)
    labels[person & neck] = ParsingLabel.NECK
    labels[person & outline] = ParsingLabel.SKIN
    if rgb is not None:
        labels[_hanging_hair(labels, rgb)] = ParsingLabel.HAIR
        labels[person & _forehead(face, outline, size, rgb)] = ParsingLabel.SKIN
    for label, loop in LOOPS:
        labels[person & fill(face.points[list(loop)], height, width)] = label
    return labels


def fill(points: Real[np.ndarray, "k 2"], height: int, width: int) -> Mask:
    """Pixels inside a closed loop of points."""
    mask = np.zeros((height, width), dtype=np.uint8)
    # Four fractional bits keep small loops, such as thin lips, from collapsing.
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, shift=4)
    return mask.astype(bool)


def _neck(face: FaceLandmarks, outline: Mask, size: float, rgb: Image | None) -> Mask:
    """Below the jaw, within the face's width, not farther than a neck; where it looks like skin."""
    height, width = outline.shape
    columns, rows = np.arange(width)[None, :], np.arange(height)[:, None]
    jaw = face.points[list(mesh_points.FACE_OVAL)]
    chin = face.points[CHIN]
    low, high = jaw[:, 0].min(), jaw[:, 0].max()
    middle = (jaw[:, 1].min() + chin[1]) / 2
    inside = (columns > low) & (columns < high) & (rows > middle)
    inside = inside & (rows < chin[1] + NECK_REACH * size) & ~outline
    if rgb is None:
        return inside & (rows > chin[1] - 0.1 * size)
    return inside & _looks_like(rgb, outline & (rows > middle))


def _forehead(face: FaceLandmarks, outline: Mask, size: float, rgb: Image) -> Mask:
    """Skin above the outline, which ends below the hairline: what looks like the brow and hangs together with it."""
    columns, rows = np.arange(outline.shape[1])[None, :], np.arange(len(outline))[:, None]
    middle, top = face.points[FOREHEAD]
    reach = FOREHEAD_REACH * size
    above = (rows < outline.argmax(axis=0)[None, :]) & outline.any(axis=0)[None, :] & (rows > top - reach)
    above = above & (np.abs(columns - middle) < FOREHEAD_HALF_WIDTH * size)
    brow = outline & (rows < top + reach) & (np.abs(columns - middle) < reach)
    similar = above & _looks_like(rgb, brow, FOREHEAD_DISTANCE)
    opened = cv2.morphologyEx((similar | outline).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, part = cv2.connectedComponents(opened)
    inside = part[outline & (opened == 1)]
    return above & (part == np.bincount(inside).argmax()) if len(inside) else np.zeros_like(outline)


def _hanging_hair(labels: UInt8[np.ndarray, "h w"], rgb: Image) -> Mask:
    """Below the chin: what looks like the hair above it and hangs together with that."""
    hair = labels == ParsingLabel.HAIR
    similar = hair | ((labels == ParsingLabel.CLOTH) & _looks_like(rgb, hair, HAIR_DISTANCE))
    opened = cv2.morphologyEx(similar.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    opened = cv2.morphologyEx(opened, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, part = cv2.connectedComponents(opened)
    joined = np.unique(part[hair & (opened == 1)])
    return (labels == ParsingLabel.CLOTH) & np.isin(part, joined[joined > 0])


def _looks_like(rgb: Image, sample: Mask, distance: float = SKIN_DISTANCE) -> Mask:
    """Pixels whose chroma and lightness are like those of a sample."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float64)
    if sample.sum() < 10:
        return np.zeros(sample.shape, dtype=bool)
    mean = lab[sample].mean(axis=0)
    spread = lab[sample].std(axis=0) + [25.0, 4.0, 4.0]
    return (((lab - mean) / spread) ** 2).sum(axis=-1) < distance**2
