"""The detector's anchors, decoding and merging, on tensors made by hand."""

import numpy as np
import pytest

from imavatar.preprocessing.detection import Detection, anchor_centres, decode, merge, overlap

SIZE = 128


def _detection(box, score: float) -> Detection:
    return Detection(np.array(box, dtype=float), np.zeros((6, 2)), score)


def test_anchors_are_the_cells_centres_in_the_models_order():
    anchors = anchor_centres()
    assert anchors.shape == (896, 2)
    np.testing.assert_allclose(anchors[[0, 1]], 1 / 32)
    np.testing.assert_allclose(anchors[2], [3 / 32, 1 / 32])
    np.testing.assert_allclose(anchors[512:518], 1 / 16)


def test_a_box_is_decoded_around_its_anchor():
    regressors, logits = np.zeros((896, 16)), np.full(896, -100.0)
    logits[300] = 2.0
    regressors[300, :4] = 12.8, -6.4, 25.6, 51.2
    regressors[300, 4:6] = 6.4, 12.8
    (found,) = decode(regressors, logits, SIZE)
    centre, half = anchor_centres()[300] + [0.1, -0.05], np.array([0.1, 0.2])
    np.testing.assert_allclose(found.box, np.concatenate([centre - half, centre + half]))
    np.testing.assert_allclose(found.points[0], anchor_centres()[300] + [0.05, 0.1])
    assert found.score == pytest.approx(1 / (1 + np.exp(-2)))


def test_overlap_is_intersection_over_union():
    first, second = np.array([0, 0, 2, 2.0]), np.array([1, 0, 3, 2.0])
    assert overlap(first, second) == pytest.approx(1 / 3)
    assert overlap(first, first + 5) == 0


def test_overlapping_boxes_merge_weighted_by_score_and_others_stay():
    boxes = ([0, 0, 1, 1], 0.9), ([0.1, 0, 1.1, 1], 0.6), ([5, 5, 6, 6], 0.7)
    found = merge([_detection(box, score) for box, score in boxes])
    assert [d.score for d in found] == [0.9, 0.7]
    np.testing.assert_allclose(found[0].box, [0.04, 0, 1.04, 1])
