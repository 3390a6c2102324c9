"""Broyden's method on maps whose roots are known, and its bookkeeping."""

import pytest
import torch

from imavatar.numerics.root_finding import broyden
from oracles_fields import normal, points

EYE = torch.eye(3, dtype=torch.float64)
N = 40


def affine():
    matrix = EYE + 0.3 * normal(3, 3, seed=0)
    return lambda x, rows: x @ matrix.T - 0.1, matrix


def mixture(x, rows):
    """Row by row another map: tanh with a root, sine with several, two roots, none."""
    shift = 0.3 * torch.sin(rows.to(x.dtype))[:, None]
    maps = torch.stack([torch.tanh(2 * x) - shift, torch.sin(3 * x) - shift, x.square() - 0.25, x.square() + 0.1])
    return maps[rows % 4, torch.arange(len(rows))]


def solve_mixture(start, rows=None, **options):
    rows = torch.arange(len(start)) if rows is None else rows
    return broyden(lambda x, local: mixture(x, rows[local]), start, EYE.expand(len(start), 3, 3), **options)


def test_an_affine_map_with_its_exact_inverse_is_solved_in_one_step():
    function, matrix = affine()
    start = points(N, scale=0.1)
    result = broyden(function, start, torch.linalg.inv(matrix).expand(N, 3, 3), max_steps=1, tolerance=1e-12)
    assert result.converged.all()
    root = torch.linalg.solve(matrix, torch.full((3,), 0.1, dtype=torch.float64))
    torch.testing.assert_close(result.x, root.expand(N, 3), rtol=0, atol=1e-12)


def test_an_affine_map_is_solved_from_the_identity_in_few_steps():
    function, _ = affine()
    # Gay (1979): 2 * 3 steps in exact arithmetic; the 1e-6 in the denominator costs a few more.
    result = broyden(function, points(N, scale=0.1), EYE.expand(N, 3, 3), max_steps=10, tolerance=1e-6)
    assert result.converged.all()


@pytest.mark.parametrize("max_steps", [0, 1, 10])
def test_the_residual_belongs_to_the_returned_point_of_every_row(max_steps):
    start = points(N, scale=0.3)
    result = solve_mixture(start, max_steps=max_steps)
    actual = mixture(result.x, torch.arange(N)).norm(dim=-1)
    torch.testing.assert_close(result.residual, actual, rtol=1e-12, atol=1e-15)
    assert torch.equal(result.converged, result.residual < 1e-5)


def test_some_rows_converge_and_some_do_not():
    converged = solve_mixture(points(N, scale=0.3)).converged
    assert converged[0::4].any()
    assert not converged[3::4].any()  # x^2 + 0.1 has no root


def test_no_row_ends_worse_than_it_began():
    start = points(N, scale=0.3)
    result = solve_mixture(start)
    assert (result.residual <= mixture(start, torch.arange(N)).norm(dim=-1)).all()


def test_rows_do_not_depend_on_their_order():
    start, order = points(N, scale=0.3), torch.randperm(N, generator=torch.Generator().manual_seed(0))
    together, permuted = solve_mixture(start), solve_mixture(start[order], order)
    assert torch.equal(permuted.x, together.x[order])
    assert torch.equal(permuted.converged, together.converged[order])


def test_rows_do_not_depend_on_which_others_are_solved_with_them():
    start = points(N, scale=0.3)
    together = solve_mixture(start)
    for rows in torch.arange(N).split(7):
        torch.testing.assert_close(solve_mixture(start[rows], rows).x, together.x[rows], rtol=1e-12, atol=1e-12)


def test_a_row_that_starts_at_a_root_stays_there():
    function, matrix = affine()
    root = torch.linalg.solve(matrix, torch.full((3,), 0.1, dtype=torch.float64))[None]
    result = broyden(function, root, EYE[None])
    assert torch.equal(result.x, root)
    assert result.converged.all()


def test_the_last_iterate_is_returned_where_asked_for_and_is_the_best_of_rows_that_converge():
    start = points(N, scale=0.3)
    best, last = solve_mixture(start), solve_mixture(start, keep_best=False)
    assert torch.equal(best.residual, last.residual)
    assert torch.equal(best.x[best.converged], last.x[best.converged])
    actual = mixture(last.x, torch.arange(N)).norm(dim=-1)
    assert (actual[~best.converged] > best.residual[~best.converged]).any()


def test_a_row_whose_residual_exceeds_the_limit_is_given_up():
    evaluated = []

    def function(x, rows):
        evaluated.append(rows.tolist())
        return x

    start = torch.tensor([[0.5, 0, 0], [2.0, 0, 0]], dtype=torch.float64)
    result = broyden(function, start, 0.5 * EYE.expand(2, 3, 3), divergence=1.0)
    assert evaluated[0] == [0, 1]
    assert all(rows == [0] for rows in evaluated[1:])
    assert result.converged.tolist() == [True, False]
    assert torch.equal(result.x[1], start[1])


def test_converged_rows_are_not_evaluated_again():
    evaluated = []

    def function(x, rows):
        evaluated.append(rows.tolist())
        return x

    start = torch.tensor([[0.5, 0, 0], [0.5, 0, 0]], dtype=torch.float64)
    broyden(function, start, torch.stack([EYE, 0.5 * EYE]))
    assert evaluated[:2] == [[0, 1], [0, 1]]
    assert all(rows == [1] for rows in evaluated[2:])


def test_the_start_is_left_as_it_was_and_nothing_records_a_gradient():
    start = points(N, scale=0.3).requires_grad_()
    before = start.detach().clone()
    result = solve_mixture(start)
    assert torch.equal(start, before)
    assert not result.x.requires_grad


def test_no_rows_are_no_problem():
    result = solve_mixture(points(0))
    assert (result.x.shape, result.residual.shape, result.converged.shape) == ((0, 3), (0,), (0,))
