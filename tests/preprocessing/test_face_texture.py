"""A face's texture says who it is, not how it is held or lit."""

import cv2
import numpy as np
import pytest

from drawn_faces import pattern, picture, points_of, texture
from imavatar.preprocessing.face_texture import likeness


def seen(person: int, *, turn: float = 0.0, side: int = 120, light=lambda grey: grey) -> np.ndarray:
    """The texture of a person's face as a picture shows it."""
    x = 60
    rgb = picture(240, 240, (person, x, x, side))
    box = np.array([x, x, x + side, x + side], float)
    matrix = cv2.getRotationMatrix2D((120, 120), turn, 1.0)
    turned = cv2.warpAffine(rgb, matrix, (240, 240), flags=cv2.INTER_LINEAR)
    points = points_of(box) @ matrix[:, :2].T + matrix[:, 2]
    return texture()(np.clip(light(turned.astype(float)), 0, 255).astype(np.uint8), points)


@pytest.mark.parametrize(
    "change",
    [
        {"turn": 25.0},
        {"side": 70},
        {"light": lambda grey: 0.5 * grey + 30},
        {"light": lambda grey: 255 * (grey / 255) ** 1.6},
        {"light": lambda grey: grey * np.linspace(0.4, 1.2, 240)[None, :, None]},
    ],
)
def test_one_person_is_alike_however_turned_near_or_lit(change):
    assert likeness([seen(1)], [seen(1, **change)]) > 0.9
    assert likeness([seen(1)], [seen(2, **change)]) < 0.5


def test_a_texture_has_no_mean_and_length_one():
    values = seen(3)
    assert np.linalg.norm(values) == pytest.approx(1, abs=1e-5)
    assert values.mean() == pytest.approx(0, abs=1e-5)


def test_a_face_outside_the_picture_has_none():
    assert not texture()(picture(50, 50), points_of(np.array([60.0, 0, 90, 30]))).any()


def test_two_recordings_are_alike_where_some_of_their_views_agree():
    grimaces = [
        seen(1, light=lambda grey, k=k: grey + 80.0 * (pattern(10 + k, 240)[..., None] > 120)) for k in range(20)
    ]
    assert likeness(grimaces, [seen(1)] * 10 + grimaces[:5]) > 0.95
