"""What is a cut, and what only looks like one."""

import cv2
import numpy as np
import pytest

from drawn_faces import boxes_of, picture
from imavatar.preprocessing.shot_changes import colour_change, is_cut, is_suspect, signature, structure_change


def room(seed: int) -> np.ndarray:
    """A picture of a place."""
    coarse = np.random.default_rng(seed).integers(0, [100, 255, 255], (9, 12, 3)).astype(np.uint8)
    return cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)


def with_face(rgb: np.ndarray, x: int, y: int, side: int) -> np.ndarray:
    face = picture(120, 160, (1, x, y, side))
    return np.where((face == picture(120, 160)).all(axis=-1, keepdims=True), rgb, face)


def parted(before: np.ndarray, after: np.ndarray) -> bool:
    first, second = signature(before), signature(after)
    return is_suspect(first, second) and is_cut(first, second, boxes_of(before), boxes_of(after))


def test_another_place_is_a_cut_even_with_the_face_where_it_was():
    assert parted(with_face(room(1), 60, 40, 40), with_face(room(2), 60, 40, 40))


def test_a_face_that_jumps_or_is_zoomed_is_a_cut():
    before = with_face(room(1), 60, 40, 50)
    assert parted(before, with_face(room(1), 90, 40, 50))
    assert parted(before, with_face(room(1), 45, 25, 80))


@pytest.mark.parametrize("shift", [0, 2, 5])
def test_a_face_that_moves_is_none(shift):
    assert not parted(with_face(room(1), 60, 40, 50), with_face(room(1), 60 + shift, 40, 50))


def test_a_light_that_is_switched_on_is_none():
    dark = with_face(room(1) // 2 + 20, 60, 40, 50)
    light = np.clip(dark * 1.3, 0, 255).astype(np.uint8)
    light[40:90, 60:110] = dark[40:90, 60:110]
    assert colour_change(signature(dark), signature(light)) > 0.2
    assert not parted(dark, light)


def test_structure_does_not_depend_on_brightness_and_contrast():
    first, second = signature(room(1) // 2), signature(room(1) // 4 + 60)
    assert structure_change(first, second) < 0.01
    assert structure_change(first, signature(room(2))) > 0.5


def test_pictures_of_one_colour_have_the_same_structure():
    black, grey = (signature(np.full((90, 90, 3), value, np.uint8)) for value in (0, 99))
    assert structure_change(black, grey) == 0
    assert structure_change(black, signature(room(1))) == 1
