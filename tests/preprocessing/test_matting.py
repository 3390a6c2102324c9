"""Cleaning and smoothing of mattes."""

import numpy as np

from imavatar.preprocessing.matting import clean_matte, guided_filter


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
