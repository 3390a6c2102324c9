"""The closest head model of a person, where the answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from imavatar.anatomy import N_EXPRESSION, N_SHAPE, N_SHAPE_COLUMNS
from imavatar.synthetic.makehuman_person import RawPerson, closest_head, vertex_error
from oracles_ellipsoid_head import ellipsoid_head


@pytest.fixture
def head():
    """A head with as many vertices as its bases need, and bases of independent columns."""
    plain, generator = ellipsoid_head(), np.random.default_rng(0)
    columns = np.zeros_like(plain.shapedirs)
    columns[..., :N_SHAPE] = generator.normal(0, 0.01, columns[..., :N_SHAPE].shape)
    span = slice(N_SHAPE_COLUMNS, N_SHAPE_COLUMNS + N_EXPRESSION)
    columns[..., span] = generator.normal(0, 0.01, columns[..., span].shape)
    return replace(plain, shapedirs=columns)


def person_of(head, shape, expressions, residue=None):
    """A person of the head's own space, and what a residue adds to its face at rest."""
    template = head.v_template + head.shapedirs[..., :N_SHAPE] @ shape
    columns = np.zeros_like(head.shapedirs)
    span = slice(N_SHAPE_COLUMNS, N_SHAPE_COLUMNS + N_EXPRESSION)
    n_units = len(expressions)
    columns[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + n_units] = head.shapedirs[..., span] @ expressions.T
    if residue is not None:
        template = template + residue
    return RawPerson(replace(head, v_template=template.astype(np.float64), shapedirs=columns), ("a", "b", "c"))


def test_a_person_of_the_heads_own_space_is_found_exactly(head):
    generator = np.random.default_rng(1)
    shape, expressions = generator.normal(size=N_SHAPE), generator.normal(size=(3, N_EXPRESSION))
    person = person_of(head, shape, expressions)
    found = closest_head(person, head)
    np.testing.assert_allclose(found.shape, shape, atol=1e-4)
    np.testing.assert_allclose(found.expression_of_unit, expressions, atol=1e-3)
    amplitudes = generator.uniform(size=(5, 3))
    assert vertex_error(person, head, found, amplitudes).max() < 1e-2


def test_what_the_basis_cannot_hold_is_the_error_in_millimetres(head):
    generator = np.random.default_rng(2)
    basis = np.linalg.qr(head.shapedirs[..., :N_SHAPE].reshape(-1, N_SHAPE).astype(np.float64))[0]
    residue = generator.normal(size=len(basis))
    residue -= basis @ (basis.T @ residue)
    residue = 0.002 * (residue / np.abs(residue).max()).reshape(-1, 3)
    person = person_of(head, np.zeros(N_SHAPE), np.zeros((3, N_EXPRESSION)), residue)
    found = closest_head(person, head)
    error = vertex_error(person, head, found, np.zeros((1, 3)))[0]
    np.testing.assert_allclose(error, 1000 * np.linalg.norm(residue, axis=1), atol=1e-3)
