"""The hash grid against what trilinear interpolation is known to give."""

import pytest
import torch

from imavatar.fields.hash_grid import HashGrid, HashGridSettings

EXTENT = 1.5


def grid(**changes) -> HashGrid:
    torch.manual_seed(0)
    settings = {"levels": 3, "log2_rows": 12, "features": 2, "coarsest": 4, "finest": 12, "extent": EXTENT}
    made = HashGrid(HashGridSettings(**settings | changes)).double()
    with torch.no_grad():
        made.table.normal_()
    return made


def points(n=200, spread=EXTENT):
    return spread * (2 * torch.rand(n, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1)) - 1)


def test_linear_functions_on_the_grid_points_are_reproduced_everywhere():
    made = grid(levels=1, coarsest=9, finest=9, features=1)
    axis = torch.linspace(-EXTENT, EXTENT, 10, dtype=torch.double)
    corners = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    slope = torch.tensor([0.3, -1.2, 0.7], dtype=torch.double)
    with torch.no_grad():
        made.table[: len(corners), 0] = corners @ slope + 0.1
    x = torch.cat([points(), torch.tensor([[EXTENT] * 3, [-EXTENT] * 3], dtype=torch.double)])
    torch.testing.assert_close(made(x)[:, 0], x @ slope + 0.1)


def test_levels_grow_geometrically_and_are_concatenated():
    made = grid()
    assert made.cells.tolist() == [4, 7, 12] and made.size == 6
    assert made(points()).shape == (200, 6)
    with torch.no_grad():
        made.table[made.n_rows : 2 * made.n_rows] = 0
    found = made(points())
    assert (found[:, 2:4] == 0).all() and (found[:, [0, 1, 4, 5]] != 0).all()


@pytest.mark.parametrize("log2_rows", [5, 12])
def test_gradients_are_those_of_finite_differences(log2_rows):
    made = grid(log2_rows=log2_rows)
    assert made.own_rows.any() == (log2_rows == 12)
    x = points(20, spread=1.4).requires_grad_(True)
    assert torch.autograd.gradcheck(made, (x,), eps=1e-7, atol=1e-6)
    assert torch.autograd.gradcheck(
        lambda table: torch.func.functional_call(made, {"table": table}, (x.detach(),)), (made.table,), eps=1e-6
    )


def test_features_are_continuous_across_cells_and_constant_outside_the_cube():
    made = grid(levels=1, coarsest=8, finest=8, log2_rows=5)
    x = points(50)
    x[:, 0] = 0.375  # a face of the cells
    step = torch.tensor([1e-9, 0, 0], dtype=torch.double)
    torch.testing.assert_close(made(x - step), made(x + step), rtol=0, atol=1e-7)
    outside = torch.tensor([[2.0, 0.1, -3.0]], dtype=torch.double)
    torch.testing.assert_close(made(outside), made(outside.clamp(-EXTENT, EXTENT)))


def test_grid_points_that_share_rows_stay_in_their_own_level():
    made = grid(log2_rows=4)
    rows = made._rows(torch.randint(0, 12, (100, 3, 8, 3)))
    for level in range(3):
        assert (rows[:, level] // made.n_rows == level).all()
