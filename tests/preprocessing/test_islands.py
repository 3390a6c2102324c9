"""Which parts of a matte are the person's."""

import numpy as np
import pytest

from imavatar.preprocessing.islands import clean_alpha
from made_face import box, disk, made_face

PERSON = disk((100, 100), 62) | box(40, 150, 160, 200)
"""Around the face of 100 pixels from chin to forehead."""


def alpha_of(*parts, values=1.0):
    alpha = PERSON.astype(np.float32)
    for part in parts:
        alpha[part] = values
    return alpha


def test_a_person_alone_stays_as_it_is():
    alpha = alpha_of(box(160, 60, 175, 62), box(20, 95, 45, 97), values=0.7)
    np.testing.assert_array_equal(clean_alpha(alpha, made_face()), alpha)


@pytest.mark.parametrize(
    ("part", "stays"),
    [
        (box(166, 100, 172, 108), True),  # an ear ring that hangs free
        (box(166, 80, 168, 100), True),  # a strand
        (box(185, 100, 191, 108), False),  # as large, but far away
        (box(168, 60, 198, 100), False),  # another person's face
    ],
)
def test_loose_parts_stay_where_they_are_small_and_near(part, stays):
    cleaned = clean_alpha(alpha_of(part), made_face())
    assert cleaned[part].all() == stays and cleaned[part].any() == stays
    np.testing.assert_array_equal(cleaned[PERSON], 1)


def test_the_part_with_the_face_is_the_person_even_where_another_is_larger():
    size = 400
    person, other = disk((100, 100), 62, size), box(200, 0, 400, 400, size)
    cleaned = clean_alpha((person | other).astype(np.float32), made_face())
    np.testing.assert_array_equal(cleaned > 0, person)


def test_a_veil_stays_at_the_outline_only():
    veil = 0.3 * (disk((100, 100), 80) & ~PERSON).astype(np.float32)
    cleaned = clean_alpha(np.maximum(alpha_of(), veil), made_face())
    assert cleaned[100, 164] == np.float32(0.3) and cleaned[100, 176] == 0


def test_what_is_seen_through_stays_a_hole_and_the_face_has_none():
    ring, mouth, speck = box(45, 140, 55, 150), box(95, 120, 105, 130), box(60, 170, 62, 171)
    alpha = alpha_of()
    for hole in (ring, mouth, speck):
        alpha[hole] = 0
    cleaned = clean_alpha(alpha, made_face())
    assert not cleaned[ring & PERSON].any()
    assert (cleaned[mouth] == 1).all() and (cleaned[speck] == 1).all()


def test_an_empty_matte_is_the_face():
    cleaned = clean_alpha(np.zeros((200, 200), np.float32), made_face())
    assert cleaned[100, 100] == 1 and cleaned[20, 20] == 0
