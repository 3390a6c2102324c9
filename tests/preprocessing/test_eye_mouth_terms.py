"""The terms that compare positions relative to each other, and the expressions that close lids."""

import numpy as np
import pytest
import torch

from imavatar.anatomy import N_EXPRESSION, N_SHAPE_COLUMNS
from imavatar.head.apertures import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS, apertures
from imavatar.head.lid_units import lid_units
from imavatar.head.mesh_points import RIGHT_EYE_CORNERS
from imavatar.preprocessing.eye_mouth_terms import EyeMouthTerms
from oracles_ellipsoid_head import ellipsoid_head, random_embedding

UNIT = 2.0


@pytest.fixture
def points():
    """Detections in three frames."""
    return torch.as_tensor(np.random.default_rng(0).uniform(0, 200, (3, 470, 2)))


def terms(points, weight=1.0) -> EyeMouthTerms:
    """Against these detections, two pixels count as one."""
    return EyeMouthTerms(points, torch.full((3, 2), weight), torch.full((3,), UNIT))


def moved(points, indices, by) -> torch.Tensor:
    """With some of the points moved."""
    points = points.clone()
    points[:, list(indices)] += torch.tensor(by)
    return points


def robust(pixels: float) -> float:
    return float(np.hypot(1, pixels / UNIT) - 1)


def test_what_moves_together_costs_nothing(points):
    found = terms(points)
    for value in (found.lids(points + 5), found.lips(points + 5), found.irises(points + 5)):
        assert value == pytest.approx(0, abs=1e-12)


def test_a_lid_that_moves_costs_its_pairs_share(points):
    upper = [a for a, _ in RIGHT_LIDS]
    changed = moved(points, upper, (0.0, 3.0))
    n_pairs = len(RIGHT_LIDS) + len(LEFT_LIDS)
    assert terms(points).lids(changed) == pytest.approx(robust(3) * len(RIGHT_LIDS) / n_pairs)
    assert terms(points).lips(changed) == pytest.approx(0, abs=1e-12)


def test_lips(points):
    changed = moved(points, [b for _, b in INNER_LIPS], (0.0, 4.0))
    assert terms(points).lips(changed) == pytest.approx(robust(4))
    assert terms(points).lids(changed) == pytest.approx(0, abs=1e-12)


def test_an_iris_counts_between_the_corners_of_its_eye_and_where_the_eye_is_open(points):
    changed = moved(points, [468], (3.0, 4.0))
    assert terms(points).irises(changed) == pytest.approx(robust(5) / 2)
    assert terms(points, 0.0).irises(changed) == pytest.approx(0, abs=1e-12)
    with_eye = moved(points, [468, *RIGHT_EYE_CORNERS], (3.0, 4.0))
    assert terms(points).irises(with_eye) == pytest.approx(0, abs=1e-12)


def test_a_heads_own_units_are_taken():
    assets = ellipsoid_head()
    right, left = np.arange(50.0), np.arange(50.0, 100.0)
    assets.face_units.update(eyeBlinkRight=right, eyeBlinkLeft=left)
    np.testing.assert_array_equal(lid_units(assets, random_embedding(assets)), [right, left])


def test_a_head_without_units_closes_each_lid_by_its_expressions():
    assets = ellipsoid_head()
    embedding = random_embedding(assets)
    units = lid_units(assets, embedding)
    corners = assets.faces[embedding.faces]
    columns = assets.shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + N_EXPRESSION]

    def landmarks(coefficients):
        vertices = assets.v_template + columns @ coefficients
        return np.einsum("lk,lkx->lx", embedding.barycentric, vertices[corners])

    rest, right, left = (landmarks(c) for c in (np.zeros(N_EXPRESSION), *units))
    opened, with_right, with_left = (apertures(p[None])[0] for p in (rest, right, left))
    # Random blendshapes have no lids, so that other places move too; but each closes its own.
    assert with_right[0] < 0.2 * opened[0] and with_left[1] < 0.2 * opened[1]
    assert abs(with_right[1] - opened[1]) < abs(with_right[0] - opened[0])
    assert abs(with_left[0] - opened[0]) < abs(with_left[1] - opened[1])
