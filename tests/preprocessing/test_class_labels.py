"""Labels from classes and landmarks of a face made by hand."""

import numpy as np
import pytest

from imavatar.anatomy import ParsingLabel
from imavatar.preprocessing.class_labels import in_face, label_classes
from imavatar.preprocessing.multiclass import SelfieClass
from made_face import SIZE, box, disk, made_face


def classes():
    """Hair above, a face, a neck and clothes, and a wall."""
    kinds = np.full((SIZE, SIZE), SelfieClass.BACKGROUND)
    kinds[disk((100, 90), 62)] = SelfieClass.HAIR
    kinds[box(85, 140, 115, 170)] = SelfieClass.BODY_SKIN
    kinds[box(0, 165, 200, 200)] = SelfieClass.CLOTHES
    kinds[disk((100, 100), 42)] = SelfieClass.FACE_SKIN
    return kinds


def labels_of(kinds, face=None):
    """Labels; where the class is `OTHER`, hair is the next likely one."""
    logits = np.where(np.arange(6)[:, None, None] == kinds, 5.0, -5.0).astype(np.float32)
    logits[SelfieClass.HAIR][kinds == SelfieClass.OTHER] = 1
    alpha = (kinds != SelfieClass.BACKGROUND).astype(np.float32)
    return label_classes(logits, alpha, face or made_face())


def test_classes_and_landmarks_make_the_labels():
    labels = labels_of(classes())
    expected = {
        (40, 100): ParsingLabel.HAIR,
        (105, 75): ParsingLabel.SKIN,
        (158, 100): ParsingLabel.NECK,
        (180, 100): ParsingLabel.CLOTH,
        (180, 20): ParsingLabel.CLOTH,
        (125, 100): ParsingLabel.MOUTH_INTERIOR,
        (116, 100): ParsingLabel.UPPER_LIP,
        (134, 100): ParsingLabel.LOWER_LIP,
        (90, 118): ParsingLabel.LEFT_EYE,
        (90, 82): ParsingLabel.RIGHT_EYE,
        (78, 118): ParsingLabel.LEFT_BROW,
        (78, 82): ParsingLabel.RIGHT_BROW,
        (10, 10): ParsingLabel.BACKGROUND,
    }
    assert {at: int(labels[at]) for at in expected} == expected


def test_what_is_not_the_persons_has_no_label():
    kinds = classes()
    logits = np.where(np.arange(6)[:, None, None] == kinds, 5.0, -5.0).astype(np.float32)
    alpha = np.full((SIZE, SIZE), 0.5, np.float32)
    alpha[:100] = 0.51
    labels = label_classes(logits, alpha, made_face())
    assert labels[:100].all() and not labels[100:].any()


def test_skin_beside_the_face_is_an_ear_and_far_skin_is_none_of_the_heads():
    kinds = classes()
    kinds[box(142, 90, 152, 110)] = kinds[box(48, 90, 58, 110)] = SelfieClass.FACE_SKIN
    kinds[box(180, 150, 200, 165)] = SelfieClass.BODY_SKIN
    labels = labels_of(kinds)
    assert labels[100, 147] == ParsingLabel.LEFT_EAR and labels[100, 53] == ParsingLabel.RIGHT_EAR
    assert labels[155, 195] == ParsingLabel.CLOTH


def test_a_beard_is_skin_and_a_fringe_is_hair():
    kinds = classes()
    beard, fringe = box(113, 128, 116, 132), box(80, 55, 120, 80)
    kinds[beard] = kinds[fringe] = SelfieClass.HAIR
    labels = labels_of(kinds)
    assert np.isin(labels[beard], (ParsingLabel.SKIN, ParsingLabel.LOWER_LIP)).all()
    assert labels[60, 100] == ParsingLabel.HAIR and labels[78, 82] == ParsingLabel.HAIR


GLASSES = box(70, 82, 130, 84) | box(70, 96, 130, 98)


@pytest.mark.parametrize(
    ("thing", "label"),
    [
        (GLASSES, ParsingLabel.GLASSES),
        (box(60, 132, 64, 142), ParsingLabel.EARRING),
        (box(60, 30, 140, 60), ParsingLabel.HAT),
        (box(60, 30, 64, 34), ParsingLabel.HAIR),
        (box(90, 185, 110, 195), ParsingLabel.CLOTH),
        (box(80, 88, 84, 92), ParsingLabel.RIGHT_EYE),
    ],
    ids=["glasses", "ear ring", "hat", "speck on the hair", "badge", "an eye taken for a thing"],
)
def test_things_are_told_by_their_place(thing, label):
    kinds = classes()
    kinds[thing] = SelfieClass.OTHER
    labels = labels_of(kinds)
    assert (labels[thing] == label).all()


def test_lids_are_seen_within_glasses():
    kinds = classes()
    kinds[GLASSES] = SelfieClass.OTHER
    assert labels_of(kinds)[90, 82] == ParsingLabel.RIGHT_EYE


def test_left_is_the_subjects_own_also_where_the_head_is_turned_over():
    turned = made_face()
    turned.points[:] = 199 - turned.points
    kinds = classes()[::-1, ::-1].copy()
    kinds[199 - 110 : 199 - 90, 142:152] = SelfieClass.FACE_SKIN
    assert labels_of(kinds, turned)[199 - 100, 147] == ParsingLabel.RIGHT_EAR


def test_places_are_counted_from_the_chin_in_heights_of_the_face():
    places = in_face(np.array([[100.0, 150.0], [100.0, 50.0], [150.0, 100.0]]), made_face())
    np.testing.assert_allclose(places, [[0, 0], [0, -1], [0.5, -0.5]], atol=1e-6)
