"""Facts about heads that several modules share: joints, pose layout, semantic classes, the length unit."""

from enum import IntEnum

HEAD_SCALE = 4.0
"""Model units per metre: one unit is 25 cm, so that a head fits the unit sphere tightly."""

MM_PER_METRE = 1000.0
MM_PER_UNIT = MM_PER_METRE / HEAD_SCALE
"""Millimetres per model unit."""

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


PARSING_LABELS = {
    SemanticClass.SKIN: (1, 7, 8, 10, 14),
    SemanticClass.EYES: (4, 5),
    SemanticClass.BROWS: (2, 3),
    SemanticClass.MOUTH_INTERIOR: (6, 11),
    SemanticClass.UPPER_LIP: (12,),
    SemanticClass.LOWER_LIP: (13,),
    SemanticClass.HAIR: (9, 17),
    SemanticClass.CLOTH: (15, 16),
}
"""Face-parsing labels (0...18) of the semantic PNGs per class; all others are background."""
