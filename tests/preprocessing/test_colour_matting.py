"""Mattes of zeros and ones, by colours."""

import numpy as np
import pytest

from imavatar.preprocessing.colour_matting import (
    DOUBT_INSIDE,
    DOUBT_OUTSIDE,
    clean_matte,
    guided_filter,
    outline_by_colour,
)

SIZE, RADIUS = 200, 60


def disk(radius):
    """Where a disk in the middle of the test image is, and the distance from its centre."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(rows - SIZE / 2, columns - SIZE / 2)
    return distance < radius, distance


def picture(person_colour, wall_colour, noise=8.0):
    """A disk before a wall, both with grain."""
    inside, _ = disk(RADIUS)
    image = np.where(inside[..., None], np.array(person_colour, float), np.array(wall_colour, float))
    image += np.random.default_rng(1).normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def test_islands_go_and_holes_are_filled():
    alpha = np.zeros((60, 60), dtype=np.float32)
    alpha[10:50, 10:40] = 1
    alpha[25:30, 20:25] = 0
    alpha[5:9, 52:57] = 1
    cleaned = clean_matte(alpha)
    expected = np.zeros_like(alpha)
    expected[10:50, 10:40] = 1
    # The corners of a square are thinner than a disk; nothing else may change.
    differing = np.argwhere(cleaned != expected)
    assert len(differing) <= 4
    assert np.isin(differing[:, 0], (10, 49)).all() and np.isin(differing[:, 1], (10, 39)).all()


def test_strands_go_and_what_leaves_the_image_does_not_end_there():
    alpha = np.zeros((200, 200), dtype=np.float32)
    alpha[60:, 50:150] = 1
    alpha[100:103, 150:190] = 1
    alpha[100:130, 20:50] = 0.9
    cleaned = clean_matte(alpha)
    assert not cleaned[100:103, 154:].any()
    assert (cleaned[105:125, 25:50] == np.float32(0.9)).all()
    assert (cleaned[190:, 50:150] == 1).all()


def test_an_empty_matte_stays_empty():
    assert not clean_matte(np.zeros((20, 20), dtype=np.float32)).any()


def test_a_matte_that_is_linear_in_the_guide_is_kept():
    guide = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    np.testing.assert_allclose(guided_filter(guide, 0.5 * guide + 0.2), 0.5 * guide + 0.2, atol=0.01)


@pytest.mark.parametrize("off", [-4, -2, 2, 3])
def test_the_outline_moves_to_where_the_colours_part(off):
    """Whether the network's outline is too wide or too narrow."""
    refined = outline_by_colour(picture((90, 60, 40), (210, 200, 180)), disk(RADIUS + off)[0].astype(np.float32))
    assert set(np.unique(refined)) == {0.0, 1.0}
    truth, distance = disk(RADIUS)
    wrong = (refined > 0.5) != truth
    assert wrong.sum() < 0.01 * truth.sum()
    assert not wrong[np.abs(distance - RADIUS) > 2].any()


@pytest.mark.parametrize("person", [(210, 200, 180), (90, 60, 40)])
def test_colours_that_mislead_move_the_outline_by_no_more_than_the_doubt(person):
    """A shirt like the wall, and a wall with a patch like the person far from the outline."""
    image = picture(person, (210, 200, 180))
    image[:30, :30] = (90, 60, 40)
    refined = outline_by_colour(image, disk(RADIUS)[0].astype(np.float32)) > 0.5
    distance = disk(RADIUS)[1]
    assert refined[distance < RADIUS - DOUBT_INSIDE * SIZE - 1].all()
    assert not refined[distance > RADIUS + DOUBT_OUTSIDE * SIZE + 1].any()


def test_strands_beyond_the_edge_leave_no_ragged_outline():
    """Colours of person and wall alternate at random within two pixels of the edge."""
    truth, distance = disk(RADIUS)
    mixed = np.random.default_rng(0).random(truth.shape) < 0.5
    image = np.where(np.abs(distance - RADIUS) < 2, mixed, truth)[..., None]
    image = np.where(image, np.array((90, 60, 40)), np.array((210, 200, 180))).astype(np.uint8)
    refined = outline_by_colour(image, truth.astype(np.float32)) > 0.5
    assert perimeter(refined) <= 1.05 * perimeter(truth)
    assert not (refined != truth)[np.abs(distance - RADIUS) > 2].any()


def perimeter(mask: np.ndarray) -> int:
    """Sides that pixels inside share with pixels outside."""
    return int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())


def test_the_outline_is_the_same_every_time():
    image, alpha = picture((120, 110, 100), (150, 140, 130), noise=25), disk(RADIUS + 2)[0].astype(np.float32)
    np.testing.assert_array_equal(outline_by_colour(image, alpha), outline_by_colour(image, alpha))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_matte_without_a_background_or_without_a_person_is_kept(value):
    alpha = np.full((SIZE, SIZE), value, dtype=np.float32)
    np.testing.assert_array_equal(outline_by_colour(picture((90, 60, 40), (210, 200, 180)), alpha), alpha)
