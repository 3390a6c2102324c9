"""Face-parsing labels from the classes of a network and from landmarks.

The network tells hair, skin, clothes and things apart; the landmarks say where lids, brows, lips and mouth are. What
else there is, is told by place: skin beside the face is an ear, a thing around the eyes a pair of glasses.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.anatomy import ParsingLabel
from imavatar.head import mesh_points
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.matting import PERSON_ALPHA
from imavatar.preprocessing.multiclass import CHIN, FOREHEAD, SelfieClass, face_height
from imavatar.preprocessing.semantics import LOOPS, Mask, fill

LABELS = {
    SelfieClass.HAIR: ParsingLabel.HAIR,
    SelfieClass.BODY_SKIN: ParsingLabel.NECK,
    SelfieClass.FACE_SKIN: ParsingLabel.SKIN,
    SelfieClass.CLOTHES: ParsingLabel.CLOTH,
}
NECK_REACH = 0.8
"""Heights of the face from the chin: bare skin farther away is no part of a head model, and labelled as cloth."""
BEARD = 0.8
"""Of the face's outline about its middle: hair below the nose within it is a beard, which moves as skin does."""
EYES_MARGIN = 0.1
"""Heights of the face around eyes and brows: a thing that reaches there is a pair of glasses."""
MOST_IN_LIDS = 0.5
"""Share of a thing within the lids; with more it is an eye that was taken for a thing."""
LEAST_ON_EYES = 0.5
"""Share of a thing there, for it to be glasses."""
BESIDE = 0.8
"""Heights of the face from its axis: a thing that is nearer moves with the head, one that is farther does not."""
LOWEST = 0.3
"""Heights of the face below the chin, for a thing that hangs at an ear."""
LEAST_HAT = 0.25
"""Heights of the face: side of the square with the area of the smallest hat."""
EAR_GAP = 0.015
"""Heights of the face from its outline: skin nearer to it than this is the cheek's."""
NOSE_BASE, UPPER_LIP = 2, 0
"""Landmarks below the nose and on the lip's edge."""
BROWS = (ParsingLabel.LEFT_BROW, ParsingLabel.RIGHT_BROW)
EYES = (*mesh_points.LEFT_EYE, *mesh_points.RIGHT_EYE, *mesh_points.LEFT_BROW, *mesh_points.RIGHT_BROW)
SKIN = (ParsingLabel.SKIN, ParsingLabel.NECK)
LIDS = (ParsingLabel.LEFT_EYE, ParsingLabel.RIGHT_EYE)


def label_classes(
    logits: Float[np.ndarray, "6 h w"], alpha: Float[np.ndarray, "h w"], face: FaceLandmarks
) -> UInt8[np.ndarray, "h w"]:
    """Face-parsing labels of the person's pixels; 0 elsewhere."""
    height, width = alpha.shape
    person = alpha > PERSON_ALPHA
    things = person & (logits[SelfieClass.OTHER] > np.maximum.reduce(logits[list(LABELS)]))
    table = np.array([LABELS[kind] for kind in sorted(LABELS)], dtype=np.uint8)
    labels = table[logits[sorted(LABELS)].argmax(axis=0)]
    places = places_in_face(face, height, width)
    _label_skin(labels, places, face)
    for label, loop in LOOPS:
        inside = fill(face.points[list(loop)], height, width)
        labels[inside & np.isin(labels, SKIN) if label in BROWS else inside] = label
    _label_things(labels, things, face)
    labels[~person] = ParsingLabel.BACKGROUND
    return labels


def in_face(points: Float[np.ndarray, "*n 2"], face: FaceLandmarks) -> Float[np.ndarray, "*n 2"]:
    """Places of pixels in a face: towards the subject's left, and down its axis, from the chin; heights of the face."""
    chin, size = face.points[CHIN], face_height(face)
    down = (chin - face.points[FOREHEAD]) / size**2
    return (points - chin.astype(np.float32)) @ np.array([[down[1], down[0]], [-down[0], down[1]]], dtype=np.float32)


def places_in_face(face: FaceLandmarks, height: int, width: int) -> Float[np.ndarray, "h w 2"]:
    """`in_face` of all pixels of an image."""
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return in_face(np.dstack([columns, rows]), face)


def _label_skin(labels: UInt8[np.ndarray, "h w"], places: Float[np.ndarray, "h w 2"], face: FaceLandmarks) -> None:
    """Skin by its place: face, ears, neck, or none of the head's; and beards."""
    height, width = labels.shape
    across, down = places[..., 0], places[..., 1]
    outline = face.points[list(mesh_points.FACE_OVAL)]
    inside, middle = fill(outline, height, width), outline.mean(axis=0)
    core = fill(middle + BEARD * (outline - middle), height, width)
    marks = in_face(face.points.astype(np.float32), face)
    labels[core & (labels == ParsingLabel.HAIR) & (down > marks[NOSE_BASE, 1])] = ParsingLabel.SKIN
    skin = np.isin(labels, SKIN)
    labels[inside & skin] = ParsingLabel.SKIN
    labels[~inside & (labels == ParsingLabel.NECK) & (np.hypot(across, down) > NECK_REACH)] = ParsingLabel.CLOTH
    outside = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5) / face_height(face)
    lids = marks[[*mesh_points.LEFT_EYE, *mesh_points.RIGHT_EYE], 1].min()
    beside = (outside > EAR_GAP) & skin & (down > lids) & (down < marks[UPPER_LIP, 1]) & (np.abs(across) < BESIDE)
    labels[beside & (across > 0)] = ParsingLabel.LEFT_EAR
    labels[beside & (across <= 0)] = ParsingLabel.RIGHT_EAR


def _label_things(labels: UInt8[np.ndarray, "h w"], things: Mask, face: FaceLandmarks) -> None:
    """What is neither hair, skin nor cloth: glasses, hats, what hangs at the ears, what does not move as a head.

    The rest keeps the label of the next likely class.
    """
    count, part, stats, centres = cv2.connectedComponentsWithStats(things.astype(np.uint8), connectivity=8)
    if count <= 1:
        return
    height, width = labels.shape
    size = face_height(face)
    eyes = face.points[list(EYES)].astype(np.float32)
    around = cv2.distanceTransform((~fill(cv2.convexHull(eyes)[:, 0], height, width)).astype(np.uint8), cv2.DIST_L2, 5)
    on_eyes = np.bincount(part[around < EYES_MARGIN * size], minlength=count)
    in_lids = np.bincount(part[np.isin(labels, LIDS)], minlength=count)
    brows, lids = in_face(eyes, face)[:, 1].min(), in_face(eyes, face)[:, 1].max()
    for k in range(1, count):
        area, (across, down) = int(stats[k, cv2.CC_STAT_AREA]), in_face(centres[k], face)
        if in_lids[k] > MOST_IN_LIDS * area:
            continue
        if on_eyes[k] > LEAST_ON_EYES * area:
            labels[part == k] = ParsingLabel.GLASSES
        elif down > LOWEST or abs(across) > BESIDE:
            labels[part == k] = ParsingLabel.CLOTH
        elif down > lids:
            labels[part == k] = ParsingLabel.EARRING
        elif down < brows and area > (LEAST_HAT * size) ** 2:
            labels[part == k] = ParsingLabel.HAT
