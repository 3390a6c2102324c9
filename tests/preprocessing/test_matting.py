"""Soft alpha: what the guided filter is by definition, where edges go, and what is sure."""

import numpy as np
import pytest

from imavatar.preprocessing.matting import EPS, colour_guided, person_logit, soft_alpha
from made_face import SIZE, disk


def by_definition(guide, values, radius):
    """The guided filter window by window: ridge regression, then the mean of all windows' functions."""
    height, width = values.shape
    padded = np.pad(guide, ((radius,) * 2, (radius,) * 2, (0, 0)), mode="symmetric").astype(np.float64)
    known = np.pad(values, radius, mode="symmetric").astype(np.float64)
    slopes, offsets = np.zeros((height, width, 3)), np.zeros((height, width))
    side = 2 * radius + 1
    for row in range(height):
        for column in range(width):
            colours = padded[row : row + side, column : column + side].reshape(-1, 3)
            wanted = known[row : row + side, column : column + side].ravel()
            matrix = np.cov(colours.T, bias=True) + EPS * np.eye(3)
            slope = np.linalg.solve(matrix, ((colours - colours.mean(0)) * (wanted - wanted.mean())[:, None]).mean(0))
            slopes[row, column], offsets[row, column] = slope, wanted.mean() - slope @ colours.mean(0)
    out = np.zeros((height, width))
    around = np.pad(slopes, ((radius,) * 2, (radius,) * 2, (0, 0)), mode="symmetric")
    beside = np.pad(offsets, radius, mode="symmetric")
    for row in range(height):
        for column in range(width):
            slope = around[row : row + side, column : column + side].reshape(-1, 3).mean(0)
            out[row, column] = slope @ guide[row, column] + beside[row : row + side, column : column + side].mean()
    return out


def test_the_guided_filter_is_ridge_regression_in_every_window():
    random = np.random.default_rng(0)
    guide, values = random.random((14, 12, 3)).astype(np.float32), random.random((14, 12)).astype(np.float32)
    np.testing.assert_allclose(colour_guided(guide, values, 2), by_definition(guide, values, 2), atol=2e-4)


def test_the_persons_logit_is_that_of_the_sum_of_all_other_classes_shares():
    logits = np.random.default_rng(1).normal(0, 2, (6, 5, 4)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=0)
    person = 1 - shares[0]
    np.testing.assert_allclose(person_logit(logits), np.log(person / shares[0]), rtol=1e-3, atol=1e-4)


def picture(inside, person=(90, 60, 40), wall=(210, 200, 180)):
    image = np.where(inside[..., None], np.array(person, float), np.array(wall, float))
    image += np.random.default_rng(1).normal(0, 4, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("off", [-2, -1, 0, 1])
def test_the_outline_goes_to_where_the_colours_part(off):
    """Whether the network's soft outline is too wide or too narrow."""
    rows, columns = np.mgrid[:400, :400]
    distance = np.hypot(columns - 200, rows - 200)
    inside = distance < 120
    logit = np.clip(0.7 * (120 + off - distance), -8, 8).astype(np.float32)
    alpha = soft_alpha(picture(inside), logit)
    assert alpha.min() >= 0 and alpha.max() <= 1
    np.testing.assert_array_equal(alpha[distance < 105], 1)
    np.testing.assert_array_equal(alpha[distance > 135], 0)
    band = np.abs(distance - 120) < 6
    network = 1 / (1 + np.exp(-logit))
    assert np.abs(alpha - inside)[band].mean() < 0.65 * np.abs(network - inside)[band].mean()


def test_a_strand_that_the_network_sees_faintly_gets_the_colours_share():
    """Two pixels wide, half of it covering: between nothing and all, and far above what is beside it."""
    inside = disk((100, 100), 60)
    image = picture(inside).astype(float)
    strand = np.zeros_like(inside)
    strand[30:42, 100:102] = True
    image[strand] = 0.5 * np.array([90, 60, 40]) + 0.5 * np.array([210, 200, 180])
    near = np.zeros_like(inside)
    near[30:42, 98:104] = True
    logit = np.where(inside, 8.0, np.where(near, -0.25, -8.0)).astype(np.float32)
    alpha = soft_alpha(image.astype(np.uint8), logit)
    assert 0.1 < alpha[33:38, 100:102].mean() < 0.9
    assert alpha[33:38, 100:102].mean() > 1.5 * alpha[33:38, [94, 95, 106, 107]].mean()


def test_colours_that_say_nothing_leave_the_networks_outline():
    logit = np.where(disk((100, 100), 60), 8.0, -8.0).astype(np.float32)
    alpha = soft_alpha(np.full((SIZE, SIZE, 3), 90, np.uint8), logit)
    wrong = (alpha > 0.5) != (logit > 0)
    assert wrong.mean() < 0.005
