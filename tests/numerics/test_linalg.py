"""Small matrices in batches, rigid transforms, Jacobians of pointwise functions."""

import pytest
import torch

from imavatar.numerics.linalg import (
    inverse_3x3,
    matvec,
    orthonormal_complement,
    pointwise_jacobian,
    rigid_transform,
    transform_points,
)
from oracles_fields import normal, points, rotation


@pytest.mark.parametrize("shape", [(3, 3), (7, 3, 3), (2, 5, 3, 3), (0, 3, 3)])
def test_the_closed_form_inverse_is_pytorchs(shape):
    matrices = normal(*shape, seed=0)
    torch.testing.assert_close(inverse_3x3(matrices), torch.linalg.inv(matrices))


def test_a_singular_matrix_has_no_finite_inverse():
    assert not torch.isfinite(inverse_3x3(torch.ones(3, 3, dtype=torch.float64))).any()


def test_a_rigid_transform_turns_then_shifts():
    turn, shift, x = rotation(0.3, -0.2, 0.5), points(1)[0], points(4, 1)
    transform = rigid_transform(turn, shift)
    assert transform[3].tolist() == [0, 0, 0, 1]
    torch.testing.assert_close(transform_points(transform.expand(4, 4, 4), x), x @ turn.T + shift)


def test_transforms_compose_as_matrices():
    first, second = (
        rigid_transform(rotation(*points(1, seed)[0]), points(1, seed + 1)[0]).expand(4, 4, 4) for seed in (2, 4)
    )
    x = points(4, 1)
    torch.testing.assert_close(
        transform_points(second @ first, x), transform_points(second, transform_points(first, x))
    )


def test_matvec_multiplies_row_by_row():
    matrices, vectors = normal(5, 2, 3, seed=0), normal(5, 3, seed=1)
    torch.testing.assert_close(
        matvec(matrices, vectors), torch.stack([m @ v for m, v in zip(matrices, vectors, strict=True)])
    )


def test_the_jacobian_of_an_affine_map_is_its_matrix():
    matrix = normal(2, 3, seed=0)
    jacobian = pointwise_jacobian(lambda x: x @ matrix.T + 1, points(4))
    torch.testing.assert_close(jacobian, matrix.expand(4, 2, 3))


def test_a_jacobian_is_found_even_where_gradients_are_off():
    with torch.no_grad():
        jacobian = pointwise_jacobian(lambda x: x.square(), points(4))
    torch.testing.assert_close(jacobian, torch.diag_embed(2 * points(4)))


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_complement_makes_a_right_handed_orthonormal_frame(axis, sign):
    directions = torch.nn.functional.normalize(points(50), dim=-1)
    if axis is not None:
        directions = sign * torch.eye(3, dtype=torch.float64)[axis].expand(50, 3)
    first, second = orthonormal_complement(directions)
    frames = torch.stack([directions, first, second], dim=-1)
    torch.testing.assert_close(frames.mT @ frames, torch.eye(3, dtype=torch.float64).expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(frames), torch.ones(50, dtype=torch.float64))
