"""A face's identity does not depend on where the light is, and parts that stay the same are enough."""

import cv2
import numpy as np
import pytest

from imavatar.preprocessing.face_identity import FaceIdentity, identity_likeness
from imavatar.preprocessing.face_texture import unit

SIZE = 160
ROWS, COLUMNS = 26, 18  # 468 landmarks


def head() -> np.ndarray:
    """Landmarks of a bulged face with a nose; y up, z forwards, in units of half its width."""
    x, y = np.meshgrid(np.linspace(-0.9, 0.9, COLUMNS), np.linspace(-0.95, 0.95, ROWS))
    bulge = np.sqrt(np.clip(1.6 - x**2 - 0.6 * y**2, 0.05, None))
    nose = 0.45 * np.exp(-((x / 0.18) ** 2) - ((y + 0.1) / 0.3) ** 2)
    sockets = -0.12 * sum(np.exp(-(((x - s) / 0.2) ** 2) - ((y - 0.3) / 0.15) ** 2) for s in (-0.45, 0.45))
    return np.stack([x, y, bulge + nose + sockets], axis=-1).reshape(-1, 3)


HEAD = head()
POINTS = SIZE / 2 * (1 + HEAD[:, :2] / [0.9, -0.95])
IDENTITY = FaceIdentity(HEAD)
"""Of faces from the front."""


def skin(person: int, tone: float = 0.5) -> np.ndarray:
    """A person's skin, from 0 to 1, on features that all people have."""
    coarse = np.random.default_rng(person).normal(size=(14, 14)).astype(np.float32)
    return np.clip(tone + 0.06 * cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), 0.05, 1)


def shading(*lamp: float, ambient: float = 0.35) -> np.ndarray:
    """A lamp's light on the head, computed from its depth on the picture's grid."""
    depth = cv2.resize(HEAD[:, 2].reshape(ROWS, COLUMNS)[::-1].astype(np.float32), (SIZE, SIZE))
    down, right = np.gradient(depth * SIZE / 2)
    normals = np.stack([-right, down, np.ones_like(depth)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return ambient + np.clip(normals @ (np.array(lamp) / np.linalg.norm(lamp)), 0, None)


def seen(skin_of: np.ndarray, light: np.ndarray | float = 1.0) -> np.ndarray:
    """A face's identity in a picture [1, r, t]."""
    grey = np.clip(200 * skin_of * light, 0, 255).astype(np.uint8)
    return IDENTITY(grey[..., None].repeat(3, axis=-1), POINTS)[None]


LAMPS = [(-1, 0, 0.6), (1, 0, 0.6), (0, 1, 0.8), (0, -1, 0.8), (0.7, 0.5, 0.6)]


@pytest.mark.parametrize("lamp", LAMPS)
def test_one_person_is_alike_in_any_light_and_two_are_not(lamp):
    lit = shading(*lamp)
    assert identity_likeness(seen(skin(1)), seen(skin(1), lit)) > 0.75
    assert identity_likeness(seen(skin(2), lit), seen(skin(1), lit)) < 0.6


def test_light_alone_makes_nobody_alike():
    plain = np.full((SIZE, SIZE), 0.6)
    left, right = (
        IDENTITY._details(
            IDENTITY._frontal(
                np.clip(200 * plain * shading(*lamp), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=-1), POINTS
            )
        )
        for lamp in LAMPS[:2]
    )
    (part, shared) = IDENTITY._parts[0]
    for values in (left, right):
        centred = values[part] - values[part].mean()
        rest = centred - shared.T @ (shared @ centred)
        assert np.linalg.norm(rest) < 0.5 * np.linalg.norm(centred)


def test_what_covers_one_half_leaves_the_other():
    bearded, masked = skin(1).copy(), skin(1).copy()
    bearded[90:] *= 0.5 + 0.3 * (np.random.default_rng(5).random((70, SIZE)) > 0.5)
    masked[:70] = skin(9)[:70] * 0.4
    for changed in (bearded, masked):
        assert identity_likeness(seen(skin(1)), seen(changed)) > 0.7


def test_vectors_have_length_one_and_no_mean():
    whole, upper, lower = seen(skin(3))[0].astype(float)
    for values in (whole, upper[upper != 0], lower[lower != 0]):
        assert np.linalg.norm(values) == pytest.approx(1, abs=2e-3)
        assert values.mean() == pytest.approx(0, abs=1e-3)
    assert not (upper * lower).any()


def test_a_face_outside_the_picture_is_like_nobody():
    nobody = IDENTITY(np.zeros((40, 40, 3), np.uint8), POINTS + 500)[None]
    assert abs(identity_likeness(nobody, seen(skin(1)))) < 0.3


def test_a_part_in_which_they_are_alike_is_enough():
    rng = np.random.default_rng(0)
    one, other, third = (unit(rng.normal(size=50)) for _ in range(3))
    first, second = np.stack([one, other])[None], np.stack([third, other])[None]
    assert identity_likeness(first, second) == pytest.approx(1, abs=1e-3)
