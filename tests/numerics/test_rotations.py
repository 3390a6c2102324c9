"""Rotations of axis-angle vectors."""

import math

import pytest
import torch

from imavatar.numerics.rotations import axis_angle_to_matrix, compose_rotations, cross_product_matrix
from oracles_fields import normal, points

ANGLES = [0.0, 1e-12, 1e-5, 9.9e-4, 1.01e-3, 0.1, 1.0, math.pi - 1e-6, math.pi, 4.0]


def vectors(angle: float):
    return angle * torch.nn.functional.normalize(points(20), dim=-1)


@pytest.mark.parametrize("angle", ANGLES)
def test_rotations_agree_with_the_matrix_exponential(angle):
    expected = torch.linalg.matrix_exp(cross_product_matrix(vectors(angle)))
    torch.testing.assert_close(axis_angle_to_matrix(vectors(angle)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("angle", ANGLES)
def test_rotations_are_orthogonal_with_determinant_one(angle):
    matrix = axis_angle_to_matrix(vectors(angle))
    identity = torch.eye(3, dtype=matrix.dtype).expand_as(matrix)
    torch.testing.assert_close(matrix @ matrix.mT, identity, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(20, dtype=matrix.dtype))


def test_a_quarter_turn_about_z_takes_x_to_y():
    turned = axis_angle_to_matrix(torch.tensor([0.0, 0.0, math.pi / 2], dtype=torch.float64))
    torch.testing.assert_close(turned[:, 0], torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))


def test_the_derivative_at_zero_is_the_cross_product():
    zero = torch.zeros(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(axis_angle_to_matrix, zero)  # [i, j, axis]
    expected = torch.stack([cross_product_matrix(axis) for axis in torch.eye(3, dtype=torch.float64)], dim=-1)
    torch.testing.assert_close(jacobian, expected)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 9.9e-4, 1.01e-3, math.pi])
def test_the_gradient_is_that_of_the_matrix_exponential(angle):
    vector = vectors(angle)[:1].requires_grad_()
    weights = normal(1, 3, 3, seed=3)
    (actual,) = torch.autograd.grad((axis_angle_to_matrix(vector) * weights).sum(), vector)
    exponential = torch.linalg.matrix_exp(cross_product_matrix(vector))
    (expected,) = torch.autograd.grad((exponential * weights).sum(), vector)
    # The series' own gradient is one order shorter than its value; its first omitted term is below 1e-9.
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-9)


def test_the_cross_product_matrix_multiplies_as_the_cross_product():
    a, b = points(5), points(5, 1)
    torch.testing.assert_close((cross_product_matrix(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b))


@pytest.mark.parametrize("first", ANGLES)
@pytest.mark.parametrize("last", [0.0, 1e-5, 0.3, 2.0])
def test_composed_rotations_are_products_of_matrices(first, last):
    first, last = vectors(first), vectors(last).roll(1, dims=0)
    composed = compose_rotations(last, first)
    expected = axis_angle_to_matrix(last) @ axis_angle_to_matrix(first)
    torch.testing.assert_close(axis_angle_to_matrix(composed), expected, rtol=0, atol=1e-9)
    assert composed.norm(dim=-1).max() <= math.pi + 1e-9


def test_composing_with_no_rotation_has_a_gradient():
    nothing, turn = torch.zeros(20, 3, dtype=torch.float64, requires_grad=True), vectors(0.3)
    compose_rotations(nothing, turn).sum().backward()
    assert nothing.grad.isfinite().all() and nothing.grad.abs().min() > 0
    assert torch.autograd.gradcheck(compose_rotations, (vectors(0.2).requires_grad_(), turn.requires_grad_()))
