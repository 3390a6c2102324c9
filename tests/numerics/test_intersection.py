"""Rays and spheres, and regula falsi."""

import itertools
import math

import pytest
import torch

from imavatar.numerics.intersection import ray_sphere_interval, secant_search
from oracles_fields import frontal_rays, points


def interval(origin, direction, radius=1.2):
    origin, direction = (torch.tensor([v], dtype=torch.float64) for v in (origin, direction))
    near, far, meets = ray_sphere_interval(origin, direction, radius)
    return near.item(), far.item(), meets.item()


def test_a_ray_through_the_centre_enters_and_leaves_at_the_radius():
    assert interval([0.0, 0, 3], [0.0, 0, -1]) == pytest.approx((1.8, 4.2, True))


def test_a_ray_past_the_centre_meets_half_a_chord_before_and_after_its_closest_point():
    half_chord = math.sqrt(1.2**2 - 0.5**2)
    assert interval([0.5, 0, 3], [0.0, 0, -1]) == pytest.approx((3 - half_chord, 3 + half_chord, True))


def test_a_ray_that_starts_inside_enters_at_zero():
    assert interval([0.0, 0, 0.2], [0.0, 0, -1]) == pytest.approx((0.0, 1.4, True))


@pytest.mark.parametrize("offset", [2.0, 1.2])
def test_a_ray_that_misses_or_only_touches_gets_its_closest_point_twice(offset):
    assert interval([offset, 0, 3], [0.0, 0, -1]) == (3.0, 3.0, False)


def test_a_sphere_behind_the_origin_is_missed():
    near, far, meets = interval([0.0, 0, 3], [0.0, 0, 1])
    assert not meets
    assert near == far


def test_random_rays_cut_the_sphere_where_the_points_have_its_radius():
    rays = frontal_rays(50, spread=0.3)
    near, far, meets = ray_sphere_interval(rays.origins, rays.directions, 1.2)
    assert meets.all()
    for depth in (near, far):
        torch.testing.assert_close(rays.at(depth).norm(dim=-1), torch.full_like(depth, 1.2))
    assert (near < far).all()


def search(function, n_steps, n=5):
    shift = points(n, scale=0.05)[:, 0]
    zero, one = torch.zeros(n, dtype=torch.float64), torch.ones(n, dtype=torch.float64)

    def rowwise(t, rows):
        return function(t - shift[rows])

    rows = torch.arange(n)
    root = secant_search(rowwise, zero, one, rowwise(zero, rows), rowwise(one, rows), n_steps)
    return root - shift


def test_a_line_is_solved_without_an_evaluation():
    torch.testing.assert_close(search(lambda t: 0.4 - t, 0), torch.full((5,), 0.4, dtype=torch.float64))


def test_a_curve_is_solved_better_with_every_step():
    errors = [(search(lambda t: 0.3 - t - 0.2 * t**2, n) - root_of_curve()).abs().max() for n in (0, 2, 4, 8)]
    assert all(b < 0.5 * a for a, b in itertools.pairwise(errors))
    assert errors[-1] < 1e-7


def root_of_curve():
    return (-1 + math.sqrt(1 + 4 * 0.2 * 0.3)) / (2 * 0.2)


def test_each_step_is_one_evaluation():
    calls = []

    def function(t, rows):
        calls.append(t)
        return 0.3 - t

    ends = (torch.zeros(1), torch.ones(1), torch.tensor([0.3]), torch.tensor([-0.7]))
    secant_search(function, *ends, 8)
    assert len(calls) == 8


def test_ends_of_equal_value_are_halved_instead_of_divided_by_zero():
    zero = torch.zeros(2)
    assert secant_search(lambda t, rows: t, zero, zero + 1, zero, zero, 0).tolist() == [0.5, 0.5]
