import numpy as np
import pytest
import torch

from imavatar.preprocessing.torso_motion import TorsoMotions
from imavatar.preprocessing.torso_term import TorsoTerm

PLACE = np.array([0, 0, 0, 0, 3, 3, 3, 3])
REACH = 60.0
ROOT = np.array([[100.0, 50.0], [7.0, -3.0]])[[0] * 4 + [1] * 4]
"""Of the body at its usual places, pixels."""


@pytest.fixture(scope="module")
def moved() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Motions of the clothes, and where these take a root that lies beside the pivot, by complex numbers."""
    generator = np.random.default_rng(0)
    motion, pivot = generator.normal(size=(8, 3)), ROOT + [3.0, 20.0]
    motion[:, 2] *= 5
    for place in (0, 3):
        motion[place == PLACE] -= motion[place == PLACE].mean(axis=0)
    aside = (ROOT - pivot) @ [1, 1j]
    turned = aside * np.exp(1j * motion[:, 2] / REACH) + motion[:, :2] @ [1, 1j]
    return motion, pivot, pivot + np.stack([turned.real, turned.imag], axis=1)


def term_of(motion: np.ndarray, pivot: np.ndarray, found: np.ndarray) -> TorsoTerm:
    motions = TorsoMotions(motion, found, np.broadcast_to(np.eye(3), (8, 3, 3)), pivot, PLACE, REACH)
    return TorsoTerm(motions, torch.full((8,), 1.3, dtype=torch.float64))


def test_the_term_is_zero_where_the_body_moves_with_the_clothes(moved):
    motion, pivot, root = moved
    term = term_of(motion, pivot, np.ones(8, bool))
    # All of a place may lie elsewhere, and lean otherwise.
    turn = torch.as_tensor(motion[:, 2] / REACH) + torch.tensor([0.1, -0.2])[[0] * 4 + [1] * 4]
    assert float(term(torch.as_tensor(root), turn)) == pytest.approx(0, abs=2e-3)


def test_a_frame_of_which_nothing_is_known_does_not_count(moved):
    motion, pivot, root = moved
    found = np.arange(8) < 7
    term, turn = term_of(motion, pivot, found), torch.as_tensor(motion[:, 2] / REACH)
    before = float(term(torch.as_tensor(root), turn))
    root = root.copy()
    root[7] += 50
    assert float(term(torch.as_tensor(root), turn)) == pytest.approx(before)


def test_a_body_that_leans_or_moves_otherwise_costs_what_the_formula_says():
    term = term_of(np.zeros((8, 3)), ROOT, np.ones(8, bool))
    steps = torch.tensor([[1.3, 0.0], [-1.3, 0.0], [0.0, 1.3], [0.0, -1.3]] + 4 * [[0.0, 0.0]])
    lean = torch.tensor([0.0] * 4 + [1.3, -1.3, 0.0, 0.0], dtype=torch.float64) / REACH
    assert float(term(torch.as_tensor(ROOT) + steps, lean)) == pytest.approx(6 / 8 * np.log(2), rel=1e-5)


def test_what_the_outline_does_not_tell_costs_nothing():
    motions = TorsoMotions(
        np.zeros((8, 3)), np.ones(8, bool), np.broadcast_to(np.diag([0.0, 1, 1]), (8, 3, 3)), ROOT, PLACE, REACH
    )
    term = TorsoTerm(motions, torch.full((8,), 1.3, dtype=torch.float64))
    beside = torch.as_tensor(ROOT) + torch.linspace(-5, 5, 8, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0])
    assert float(term(beside, torch.zeros(8, dtype=torch.float64))) == pytest.approx(0, abs=1e-9)
