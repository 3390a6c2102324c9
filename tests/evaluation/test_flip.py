"""FLIP where its values are known: none for equal images, one for the most different, and its masks."""

import pytest
import torch

flip_evaluator = pytest.importorskip("flip_evaluator", reason="flip-evaluator is not installed (extra: evaluation)")

from imavatar.evaluation.metrics import flip_map  # noqa: E402 (needs the package)
from imavatar.evaluation.scoring import colour_scores  # noqa: E402


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


def test_means_over_a_region_do_not_see_what_is_outside():
    truth = torch.rand(40, 40, 3, generator=torch.Generator().manual_seed(0))
    region = torch.zeros(40, 40, dtype=torch.bool)
    region[5:30, 5:30] = True
    image = torch.where(region[..., None], truth, torch.zeros_like(truth))
    assert colour_scores(image, truth, None, None)["flip"] > 0.1
    assert colour_scores(image, truth, region, None)["flip"] == pytest.approx(0, abs=1e-6)
    assert colour_scores(image, truth, ~region & region, None)["flip"] is None
