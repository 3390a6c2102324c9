import cv2
import numpy as np
import pytest
import torch

from imavatar.anatomy import ParsingLabel
from imavatar.preprocessing.torso_shift import TorsoShifts, TorsoTerm, torso_shifts

SIZE = 256


def person(right: float, down: float, chin: float = 0.0) -> np.ndarray:
    """Labels of shoulders, and of a head that hides some of them, drawn with eight times the resolution."""
    fine = 8 * SIZE
    labels = np.zeros((fine, fine), np.uint8)
    middle = fine // 2 + round(8 * right), round(fine * 1.05) + round(8 * down)
    cv2.ellipse(labels, middle, (round(0.42 * fine), round(0.3 * fine)), 0, 0, 360, int(ParsingLabel.CLOTH), -1)
    head = fine // 2 + round(8 * chin), fine // 2
    cv2.ellipse(labels, head, (round(0.15 * fine), round(0.29 * fine)), 0, 0, 360, int(ParsingLabel.SKIN), -1)
    return cv2.resize(labels, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)


def test_known_shifts_are_found_whatever_the_head_does():
    generator = np.random.default_rng(0)
    true = generator.uniform(-6, 6, (12, 2))
    frames = [person(*move, chin=generator.uniform(-5, 5)) for move in true]
    seen = torso_shifts(lambda k: frames[k], np.zeros(12, int))
    assert seen.found.all() and np.linalg.eigvalsh(seen.certain[0]).min() > 0.8
    shift = seen.shift
    off = (shift - shift.mean(axis=0)) - (true - true.mean(axis=0))
    assert np.abs(off).max() < 0.5 and np.abs(off).mean() < 0.15


def test_each_recording_has_a_usual_place_of_its_own():
    frames = [person(0, 0)] * 3 + [person(20, -10)] * 3
    seen = torso_shifts(lambda k: frames[k], np.repeat([0, 1], 3))
    assert seen.found.all() and np.abs(seen.shift).max() < 0.1


def test_without_clothes_nothing_is_found():
    frames = [np.where(person(0, 0) == ParsingLabel.CLOTH, 0, person(0, 0)).astype(np.uint8)] * 3
    seen = torso_shifts(lambda k: frames[k], np.zeros(3, int))
    assert not seen.found.any() and not seen.shift.any() and not seen.certain.any()


def test_a_frame_in_which_an_arm_hides_the_shoulders_does_not_count():
    frames = [person(0.3 * k, 0) for k in range(6)]
    frames[3] = np.full((SIZE, SIZE), ParsingLabel.CLOTH, np.uint8)
    frames[3][:, : SIZE // 2] = 0
    seen = torso_shifts(lambda k: frames[k], np.zeros(6, int))
    assert seen.found.tolist() == [True, True, True, False, True, True]


def test_an_outline_that_runs_straight_tells_nothing_of_shifts_along_it():
    def half(down: float) -> np.ndarray:
        labels = np.zeros((SIZE, SIZE), np.uint8)
        labels[200 + round(down) :] = ParsingLabel.CLOTH
        return labels

    frames = [half(down) for down in (0, 4, -4, 2, -2)]
    seen = torso_shifts(lambda k: frames[k], np.zeros(5, int))
    assert seen.found.all() and np.abs(seen.shift[:, 0]).max() < 1e-3
    assert seen.shift[:, 1] == pytest.approx([0, 4, -4, 2, -2], abs=0.3)
    assert seen.certain[0] == pytest.approx(np.diag([0.0, 1.0]), abs=0.1)


def test_the_term_is_zero_where_the_root_moves_with_the_clothes():
    generator = torch.Generator().manual_seed(0)
    shift = torch.randn(8, 2, generator=generator)
    found = torch.tensor([True] * 7 + [False])
    video = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    certain = np.broadcast_to(np.eye(2), (8, 2, 2))
    shifts = TorsoShifts(shift.numpy(), found.numpy(), certain)
    term = TorsoTerm(shifts, video, torch.full((8,), 1.3))
    elsewhere = torch.tensor([[100.0, 50.0], [7.0, -3.0]])[video]
    assert float(term(shift + elsewhere)) == pytest.approx(0, abs=1e-6)
    lost = shift + elsewhere
    lost[7] += 50  # nothing is known of this frame
    assert float(term(lost)) == pytest.approx(0, abs=1e-6)
    moved = shift + elsewhere
    moved[:4] += torch.tensor([[1.3, 0.0], [-1.3, 0.0], [0.0, 1.3], [0.0, -1.3]])
    assert float(term(moved)) == pytest.approx(4 / 7 * np.log(2), rel=1e-5)
