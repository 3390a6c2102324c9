"""Face-parsing labels to soft channels, against the table of docs/data_format.md, section 6, written out once more."""

import numpy as np
import pytest

from imavatar.data.images import one_hot, soft_channels

CHANNELS = [{1, 7, 8, 10, 14}, {4, 5}, {2, 3}, {6, 11}, {12}, {13}, {9, 17}, {15, 16}, {0, 18}]


@pytest.mark.parametrize("channel", range(9))
def test_each_label_is_one_in_its_channel_only(channel):
    for label in CHANNELS[channel]:
        expected = np.zeros(9)
        expected[channel] = 1
        assert one_hot(np.array(label, np.uint8)).tolist() == expected.tolist()


def test_unknown_labels_are_background():
    assert one_hot(np.array([19, 255], np.uint8))[:, 8].tolist() == [1, 1]


@pytest.mark.parametrize("size", [(7, 5), (30, 41), (10, 10)])
def test_channels_sum_to_one_and_a_uniform_map_stays_exactly_one(size):
    labels = np.random.default_rng(0).integers(0, 19, (16, 13), dtype=np.uint8)
    np.testing.assert_allclose(soft_channels(labels, *size).sum(axis=-1), 1, atol=1e-6)
    uniform = soft_channels(np.full((16, 13), 17, np.uint8), *size)
    assert uniform.shape == (*size, 9)
    assert (uniform[..., 6] == 1).all()


def test_a_border_between_classes_is_shared_by_both():
    labels = np.array([[1, 17]], np.uint8)
    # Four pixels over two: the inner ones lie a quarter of the way to the other label.
    channels = soft_channels(labels, 1, 4)
    np.testing.assert_allclose(channels[0, :, 0], [1, 0.75, 0.25, 0])
    np.testing.assert_allclose(channels[0, :, 6], [0, 0.25, 0.75, 1])
