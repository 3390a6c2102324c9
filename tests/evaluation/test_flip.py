"""FLIP where its values are known: none for equal images, one for the most different, and its masks."""

import pytest
import torch

flip_evaluator = pytest.importorskip("flip_evaluator", reason="flip-evaluator is not installed (extra: evaluation)")

from imavatar.evaluation.flip import flip_map, flip_metrics  # noqa: E402 (needs the package)


def test_equal_images_do_not_differ_and_opposites_differ_most():
    image = torch.rand(24, 20, 3)
    assert flip_map(image, image).shape == (24, 20)
    assert float(flip_map(image, image).abs().max()) < 1e-6
    black, white = torch.zeros(24, 20, 3), torch.ones(24, 20, 3)
    assert float(flip_map(black, white).mean()) > 0.9


def test_a_small_error_is_less_than_a_large_one():
    image = torch.rand(24, 20, 3, generator=torch.Generator().manual_seed(0)) * 0.5
    small, large = (float(flip_map(image + step, image).mean()) for step in (0.02, 0.2))
    assert 0 < small < large < 1


def test_masked_means_do_not_see_what_is_outside():
    truth = torch.rand(40, 40, 3, generator=torch.Generator().manual_seed(0))
    foreground, face = torch.zeros(40, 40, dtype=torch.bool), torch.zeros(40, 40, dtype=torch.bool)
    foreground[5:30, 5:30], face[10:20, 10:20] = True, True
    image = torch.where(foreground[..., None], truth, torch.zeros_like(truth))
    values = flip_metrics(image, truth, foreground, face)
    assert values["flip"] > 0.1
    assert values["flip_masked"] == pytest.approx(0, abs=1e-6) and values["flip_face"] == pytest.approx(0, abs=1e-6)
    assert flip_metrics(image, truth, ~foreground & foreground, face)["flip_face"] is None
