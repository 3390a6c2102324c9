"""Renderings as bytes, side by side."""

import numpy as np
import pytest
import torch

from imavatar.rendering.image import RenderedImage
from imavatar.rendering.image_export import colour_bytes, comparison_strip, normal_bytes, video_frame


def test_colours_fill_the_range_of_bytes_and_are_clipped_beyond_it():
    rgb = torch.tensor([[-1.0, 0.0, 1.0], [-1.5, 1.5, 0.999]])
    assert colour_bytes(rgb).tolist() == [[0, 128, 255], [0, 255, 255]]


def test_normals_fade_to_white_with_the_coverage():
    normal = torch.tensor([[[1.0, 0.0, -1.0]] * 3])
    found = normal_bytes(normal, torch.tensor([[1.0, 0.5, 0.0]]))
    assert found.tolist() == [[[255, 128, 0], [255, 191, 128], [255, 255, 255]]]


def rendering():
    """Two by two pixels: black with normals towards x, wholly covered."""
    alpha = torch.ones(2, 2)
    normal = torch.tensor([1.0, 0.0, 0.0]).expand(2, 2, 3)
    return RenderedImage(-torch.ones(2, 2, 3), normal, alpha, alpha)


def test_a_strip_is_truth_rendering_normals_from_left_to_right():
    strip = comparison_strip(torch.ones(2, 2, 3), rendering())
    assert strip[0, ::2].tolist() == [[255, 255, 255], [0, 0, 0], [255, 128, 128]]


def test_a_strip_without_truth_has_two_panels():
    assert comparison_strip(None, rendering()).shape == (2, 4, 3)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((256, 256), (256, 256)), ((301, 257), (302, 258)), ((128, 384), (256, 768)), ((1, 1), (256, 256))],
)
def test_video_frames_are_even_and_at_least_256_pixels_high(shape, expected):
    image = np.arange(shape[0] * shape[1] * 3).reshape(*shape, 3).astype(np.uint8)
    assert video_frame(image).shape == (*expected, 3)


def test_an_enlarged_video_frame_repeats_pixels():
    image = np.random.default_rng(0).integers(0, 256, (100, 7, 3), dtype=np.uint8)
    assert np.array_equal(video_frame(image)[1::3, 1:21:3], image)
