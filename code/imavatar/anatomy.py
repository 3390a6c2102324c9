"""Facts about heads that several modules share: joints, pose layout, coefficients, semantic classes, length units."""

from enum import IntEnum

HEAD_SCALE = 4.0
"""Model units per metre: one unit is 25 cm, so that a head fits the unit sphere tightly."""

MM_PER_METRE = 1000.0
MM_PER_UNIT = MM_PER_METRE / HEAD_SCALE
"""Millimetres per model unit."""

N_SHAPE, N_EXPRESSION = 100, 50
"""Coefficients of shape and of expression that a recording's file holds and the method uses."""
N_SHAPE_COLUMNS = 300
"""A head model's file holds 300 shape columns, then 100 expression columns."""

CANONICAL_JAW_ANGLE = 0.2
"""Rotation of the jaw about x in the canonical pose, radians; everything else is at rest."""


class Joint(IntEnum):
    """Joints of a head model in FLAME's order; the ghost bone, where used, is put before them."""

    GLOBAL = 0
    NECK = 1
    JAW = 2
    LEFT_EYE = 3
    RIGHT_EYE = 4


JOINT_PARENTS = (-1, 0, 1, 1, 1)
N_JOINTS = len(Joint)
POSE_SIZE = 3 * N_JOINTS
POSE_FEATURE_SIZE = 9 * (N_JOINTS - 1)


def pose_slice(joint: Joint) -> slice:
    """Where the axis-angle vector of `joint` stands in a pose of 15 numbers."""
    return slice(3 * joint, 3 * joint + 3)


class SemanticClass(IntEnum):
    """Channels of the soft semantic maps (docs/data_format.md, section 6)."""

    SKIN = 0
    EYES = 1
    BROWS = 2
    MOUTH_INTERIOR = 3
    UPPER_LIP = 4
    LOWER_LIP = 5
    HAIR = 6
    CLOTH = 7
    BACKGROUND = 8


class ParsingLabel(IntEnum):
    """Labels of face-parsing networks: the values of the semantic PNGs. Left and right are the subject's own."""

    BACKGROUND = 0
    SKIN = 1
    LEFT_BROW = 2
    RIGHT_BROW = 3
    LEFT_EYE = 4
    RIGHT_EYE = 5
    GLASSES = 6
    LEFT_EAR = 7
    RIGHT_EAR = 8
    EARRING = 9
    NOSE = 10
    MOUTH_INTERIOR = 11
    UPPER_LIP = 12
    LOWER_LIP = 13
    NECK = 14
    NECKLACE = 15
    CLOTH = 16
    HAIR = 17
    HAT = 18


PARSING_LABELS = {
    SemanticClass.SKIN: (
        ParsingLabel.SKIN,
        ParsingLabel.LEFT_EAR,
        ParsingLabel.RIGHT_EAR,
        ParsingLabel.NOSE,
        ParsingLabel.NECK,
    ),
    SemanticClass.EYES: (ParsingLabel.LEFT_EYE, ParsingLabel.RIGHT_EYE),
    SemanticClass.BROWS: (ParsingLabel.LEFT_BROW, ParsingLabel.RIGHT_BROW),
    SemanticClass.MOUTH_INTERIOR: (ParsingLabel.GLASSES, ParsingLabel.MOUTH_INTERIOR),
    SemanticClass.UPPER_LIP: (ParsingLabel.UPPER_LIP,),
    SemanticClass.LOWER_LIP: (ParsingLabel.LOWER_LIP,),
    SemanticClass.HAIR: (ParsingLabel.EARRING, ParsingLabel.HAIR),
    SemanticClass.CLOTH: (ParsingLabel.NECKLACE, ParsingLabel.CLOTH),
}
"""Face-parsing labels of each class; all others are background."""
