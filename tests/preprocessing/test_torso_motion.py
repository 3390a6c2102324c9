import cv2
import numpy as np
import pytest

from imavatar.anatomy import ParsingLabel
from imavatar.preprocessing.torso_motion import torso_motions

SIZE = 256
MIDDLE = np.array([SIZE / 2, SIZE * 0.9])
SHOULDERS = np.array([[-110, 90], [-110, -20], [-70, -20], [-70, -95], [70, -95], [70, -20], [110, -20], [110, 90]])
"""Corners of the body about MIDDLE, pixels."""


def turned(vector: np.ndarray, angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ vector


def person(right: float, down: float, turn: float = 0.0, chin: float = 0.0) -> np.ndarray:
    """Labels of shoulders that are moved and turned (degrees, about the image's lower middle), and of a head that hides
    some of them, drawn with eight times the resolution.
    """
    fine = 8 * SIZE
    labels = np.zeros((fine, fine), np.uint8)
    corners = np.array([turned(corner, np.radians(turn)) for corner in SHOULDERS]) + MIDDLE + [right, down]
    cv2.fillPoly(labels, [(8 * corners).round().astype(int)], int(ParsingLabel.CLOTH))
    head = fine // 2 + round(8 * chin), fine // 2
    cv2.ellipse(labels, head, (round(0.15 * fine), round(0.29 * fine)), 0, 0, 360, int(ParsingLabel.SKIN), -1)
    return cv2.resize(labels, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)


def test_known_motions_are_found_whatever_the_head_does():
    generator = np.random.default_rng(0)
    true = generator.uniform(-5, 5, (12, 3))
    frames = [person(*move, chin=generator.uniform(-5, 5)) for move in true]
    seen = torso_motions(lambda k: frames[k], np.zeros(12, int))
    assert seen.found.all() and np.linalg.eigvalsh(seen.certain[0]).min() > 0.8
    angle = seen.motion[:, 2] / seen.reach
    assert np.abs(np.degrees(angle - angle.mean()) - (true[:, 2] - true[:, 2].mean())).max() < 0.3
    # Where the pivot went.
    moved = [MIDDLE + move[:2] + turned(seen.pivot[0] - MIDDLE, np.radians(move[2])) - seen.pivot[0] for move in true]
    off = (seen.motion[:, :2] - seen.motion[:, :2].mean(axis=0)) - (moved - np.mean(moved, axis=0))
    assert np.abs(off).max() < 0.5 and np.abs(off).mean() < 0.15


def test_a_recording_from_elsewhere_has_a_usual_place_of_its_own():
    frames = [person(0, 0)] * 3 + [person(40, -30)] * 3
    seen = torso_motions(lambda k: frames[k], np.repeat([0, 1], 3))
    assert seen.found.all() and np.abs(seen.motion).max() < 0.1
    assert seen.place.tolist() == [0, 0, 0, 1, 1, 1]


def test_recordings_in_which_a_body_sits_alike_share_a_place():
    frames = [person(0, 0)] * 3 + [person(3, -2, 4)] * 3
    seen = torso_motions(lambda k: frames[k], np.repeat([4, 7], 3))
    assert seen.found.all() and seen.place.tolist() == [4] * 6
    assert np.degrees(seen.motion[3:, 2].mean() - seen.motion[:3, 2].mean()) / seen.reach == pytest.approx(4, abs=0.2)


def test_without_clothes_nothing_is_found():
    frames = [np.where(person(0, 0) == ParsingLabel.CLOTH, 0, person(0, 0)).astype(np.uint8)] * 3
    seen = torso_motions(lambda k: frames[k], np.zeros(3, int))
    assert not seen.found.any() and not seen.motion.any() and not seen.certain.any()


def test_a_frame_in_which_an_arm_hides_the_shoulders_does_not_count():
    frames = [person(0.3 * k, 0) for k in range(6)]
    frames[3] = np.full((SIZE, SIZE), ParsingLabel.CLOTH, np.uint8)
    frames[3][:, : SIZE // 2] = 0
    seen = torso_motions(lambda k: frames[k], np.zeros(6, int))
    assert seen.found.tolist() == [True, True, True, False, True, True]


def test_an_outline_that_runs_straight_tells_nothing_of_shifts_along_it():
    def half(down: float) -> np.ndarray:
        labels = np.zeros((SIZE, SIZE), np.uint8)
        labels[200 + round(down) :] = ParsingLabel.CLOTH
        return labels

    frames = [half(down) for down in (0, 4, -4, 2, -2)]
    seen = torso_motions(lambda k: frames[k], np.zeros(5, int))
    assert seen.found.all() and np.abs(seen.motion[:, 0]).max() < 1e-3
    assert seen.motion[:, 1] == pytest.approx([0, 4, -4, 2, -2], abs=0.3)
    assert seen.certain[0] == pytest.approx(np.diag([0.0, 1.0, 1.0]), abs=0.1)
