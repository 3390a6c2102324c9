"""Teeth behind a skin that is a sphere, and which faces of a skin are its outside."""

from dataclasses import replace

import numpy as np
import pytest

from imavatar.anatomy import ParsingLabel
from imavatar.synthetic.teeth_collision import REACH, THICKNESS, outer_skin, push_inside
from oracles_ellipsoid_head import ellipsoid, ellipsoid_head

RADIUS = 0.08


@pytest.mark.parametrize("unit_length", [1.0, 4.0])
def test_what_has_come_through_goes_back_and_the_rest_stays(unit_length):
    vertices, faces = ellipsoid([RADIUS] * 3, [0.0, 0.0, 0.0], 48, 64)
    direction = np.random.default_rng(0).normal(size=(60, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = np.repeat([0.6 * RADIUS, RADIUS - 0.5 * THICKNESS, RADIUS + 0.005], 20)
    points = unit_length * distance[:, None] * direction
    kept = push_inside(points, unit_length * vertices, faces, unit_length)
    reached = np.linalg.norm(kept, axis=1) / unit_length
    np.testing.assert_array_equal(kept[:20], points[:20])
    assert (reached[20:] < RADIUS - 0.9 * THICKNESS).all()
    assert (reached[20:] > RADIUS - 1.5 * THICKNESS).all()
    # Straight back, not along the skin.
    np.testing.assert_allclose(kept[20:] / reached[20:, None] / unit_length, direction[20:], atol=0.05)


def test_what_is_far_outside_has_not_come_through():
    vertices, faces = ellipsoid([RADIUS] * 3, [0.0, 0.0, 0.0], 24, 32)
    points = np.array([[0.0, 0.0, RADIUS + 1.2 * REACH]])
    np.testing.assert_array_equal(push_inside(points, vertices, faces, 1.0), points)


def test_lips_and_the_inside_of_the_mouth_are_not_the_outside():
    faces = np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]])
    head = ellipsoid_head()
    inner_mouth = np.zeros(len(head.v_template))
    inner_mouth[0] = 1.0
    head = replace(head, regions={"inner_mouth": inner_mouth}, v_template=np.zeros_like(head.v_template))
    labels = np.full(len(head.v_template), ParsingLabel.SKIN)
    np.testing.assert_array_equal(outer_skin(head, faces, labels), faces[1:])
    labels[5] = ParsingLabel.LOWER_LIP
    np.testing.assert_array_equal(outer_skin(head, faces, labels), faces[1:3])
