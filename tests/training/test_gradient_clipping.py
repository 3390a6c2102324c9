"""Outliers among gradients, on a parameter whose gradients are given."""

import math

import pytest
import torch

from imavatar.training.step import clip_to_running_norm


def optimiser_after(norms: list[float], size: int = 50) -> tuple[torch.optim.Adam, torch.nn.Parameter]:
    """An optimiser that has followed random gradients of given norms."""
    generator = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.zeros(size))
    optimiser = torch.optim.Adam([parameter], lr=1e-3)
    for norm in norms:
        direction = torch.randn(size, generator=generator)
        parameter.grad = norm * direction / direction.norm()
        optimiser.step()
    return optimiser, parameter


def outlier(parameter: torch.nn.Parameter, norm: float) -> torch.Tensor:
    """Set a gradient of a given norm, the same in all components."""
    parameter.grad = torch.full_like(parameter, norm / math.sqrt(parameter.numel()))
    return parameter.grad.clone()


def test_an_outlier_keeps_its_direction_and_gets_the_limit_of_the_root_mean_square():
    optimiser, parameter = optimiser_after([1.0, 2.0] * 100)
    given = outlier(parameter, 1000.0)
    assert clip_to_running_norm(optimiser, 3.0)
    # Squares of norms are 1 and 4 in equal shares.
    assert float(parameter.grad.norm()) == pytest.approx(3 * math.sqrt(2.5), rel=1e-2)
    assert float(torch.nn.functional.cosine_similarity(parameter.grad, given, dim=0)) == pytest.approx(1.0)


@pytest.mark.parametrize(("norm", "factor"), [(1000.0, 0.0), (2.9, 3.0)])
def test_usual_gradients_and_those_of_a_run_without_limit_stay_as_they_are(norm, factor):
    optimiser, parameter = optimiser_after([1.0] * 20)
    given = outlier(parameter, norm)
    assert not clip_to_running_norm(optimiser, factor)
    assert torch.equal(parameter.grad, given)


def test_before_the_first_step_nothing_is_usual():
    optimiser, parameter = optimiser_after([])
    given = outlier(parameter, 1000.0)
    assert not clip_to_running_norm(optimiser, 3.0)
    assert torch.equal(parameter.grad, given)


def test_groups_are_limited_each_by_its_own_gradients():
    small, large, unused = (torch.nn.Parameter(torch.zeros(10)) for _ in range(3))
    optimiser = torch.optim.Adam([{"params": [small]}, {"params": [large, unused]}])
    for _ in range(10):
        outlier(small, 1e-3)
        outlier(large, 1e3)
        optimiser.step()
    outlier(small, 1.0)
    given = outlier(large, 1e3)
    assert clip_to_running_norm(optimiser, 3.0)
    assert float(small.grad.norm()) == pytest.approx(3e-3, rel=1e-3)
    assert torch.equal(large.grad, given)


def test_after_an_outlier_the_weights_move_little_more_than_after_a_usual_gradient():
    moved = {}
    for factor in (0.0, 3.0):
        optimiser, parameter = optimiser_after([1.0] * 500)
        before = parameter.detach().clone()
        outlier(parameter, 1000.0)
        clip_to_running_norm(optimiser, factor)
        for _ in range(30):
            optimiser.step()
            parameter.grad = torch.zeros_like(parameter)
        moved[factor] = float((parameter.detach() - before).norm())
    assert moved[3.0] < 0.2 * moved[0.0]


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_gradient_that_is_not_finite_is_refused(value):
    optimiser, parameter = optimiser_after([1.0] * 3)
    outlier(parameter, 1.0)
    parameter.grad[3] = value
    with pytest.raises(FloatingPointError, match="norm"):
        clip_to_running_norm(optimiser, 3.0)
