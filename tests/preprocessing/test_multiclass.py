"""Where the multiclass network looks, with one in its place that tells classes by colours."""

import numpy as np
import pytest

from imavatar.preprocessing import multiclass
from imavatar.preprocessing.multiclass import MOST_LOGIT, MulticlassModel, SelfieClass, head_window
from made_face import disk, made_face

SIZE = 512


class ByColour:
    """Red is hair, the rest background; counts how often it is asked."""

    input_size = 64

    def __init__(self, path):
        self.seen = []

    def __call__(self, image):
        assert image.shape == (64, 64, 3) and image.min() >= -1 and image.max() <= 1
        self.seen.append(image)
        logits = np.full((64, 64, 6), -20.0, np.float32)
        red = image[..., 0] > 0.5
        logits[..., SelfieClass.HAIR] = np.where(red, 9, -9)
        logits[..., SelfieClass.BACKGROUND] = np.where(red, -9, 9)
        return [logits]


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(multiclass, "asset_path", lambda name: name)
    monkeypatch.setattr(multiclass, "TfliteModel", ByColour)
    return MulticlassModel()


def test_a_small_head_is_looked_at_once_more_and_has_finer_edges(model):
    inside = disk((200, 300), 80, SIZE)
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[inside, 0] = 255
    small = made_face(1.0, (100, 200))
    logits = model(image, small)
    assert logits.shape == (6, SIZE, SIZE) and np.abs(logits).max() <= MOST_LOGIT and len(model._model.seen) == 2
    wrong = ((logits[SelfieClass.HAIR] > logits[SelfieClass.BACKGROUND]) != inside).sum()
    once = model(image, made_face(3.0, (-100, 0)))
    assert len(model._model.seen) == 3
    assert wrong < 0.6 * ((once[SelfieClass.HAIR] > once[SelfieClass.BACKGROUND]) != inside).sum()


def test_pictures_that_are_not_square_have_logits_of_their_own_shape(model):
    image = np.zeros((300, 200, 3), np.uint8)
    image[:, :100, 0] = 255
    logits = model(image, made_face())
    assert logits.shape == (6, 300, 200)
    assert (logits[SelfieClass.HAIR, :, :90] > 0).all() and (logits[SelfieClass.HAIR, :, 110:] < 0).all()


@pytest.mark.parametrize("shift", [(0, 0), (300, 300), (-60, 100)])
def test_the_window_is_inside_the_image(shift):
    window = head_window(made_face(1.0, shift), SIZE, SIZE)
    corners = window.to_image(64) @ np.array([[-0.5, -0.5, 1], [63.5, 63.5, 1]]).T
    assert corners.min() >= -0.5 - 1e-6 and corners.max() <= SIZE - 0.5 + 1e-6


def test_a_head_that_fills_the_image_needs_no_window():
    assert head_window(made_face(3.0), SIZE, SIZE) is None
