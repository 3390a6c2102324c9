"""Values over time: still where the image is, new where it is not."""

import numpy as np

from imavatar.preprocessing.steadying import OLD_SHARE, Steadied

SIZE = 100


def frames(moving: bool):
    """A bright square before a dark wall, which moves by six pixels a frame or stays."""
    for k in range(8):
        image = np.full((SIZE, SIZE, 3), 40, np.uint8)
        left = 10 + (6 * k if moving else 0)
        image[30:70, left : left + 30] = 200
        yield image, (image[..., :1] > 100).astype(np.float32).transpose(2, 0, 1)


def test_noise_of_a_still_image_is_averaged():
    random, steadied = np.random.default_rng(0), Steadied()
    out = [steadied(image, truth + random.normal(0, 0.1, truth.shape)) for image, truth in frames(moving=False)]
    steps = np.abs(np.diff(out, axis=0))[-1].mean()
    # A step is (1 - a) of the difference between new noise and the mean of the noise before, of variance (1-a)/(1+a).
    deviation = (1 - OLD_SHARE) * 0.1 * np.sqrt(1 + (1 - OLD_SHARE) / (1 + OLD_SHARE))
    np.testing.assert_allclose(steps, deviation * np.sqrt(2 / np.pi), rtol=0.05)


def test_what_moves_leaves_no_trace():
    steadied = Steadied()
    for image, truth in frames(moving=True):
        values = steadied(image, truth)
        assert np.abs(values - truth).max() < 1e-3


def test_another_recording_starts_anew():
    steadied = Steadied()
    (image, truth), *_ = frames(moving=False)
    steadied(image, truth)
    steadied.reset()
    np.testing.assert_array_equal(steadied(image, 1 - truth), 1 - truth)
    np.testing.assert_array_equal(steadied(image[:50], truth[:, :50]), truth[:, :50])
