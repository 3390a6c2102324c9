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
    np.testing.assert_array_equal(cleaned, expected)


def test_an_empty_matte_stays_empty():
    assert not clean_matte(np.zeros((20, 20), dtype=np.float32)).any()


def test_a_matte_that_is_linear_in_the_guide_is_kept():
    guide = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    np.testing.assert_allclose(guided_filter(guide, 0.5 * guide + 0.2), 0.5 * guide + 0.2, atol=0.01)
