"""Pixel sampling: half anywhere, half strictly inside the box, repeatable from (seed, epoch, frame)."""

import pytest
import torch

from imavatar.data.sampling import generator_for, sample_pixels


def sample(n, height=20, width=30, bbox=(5.0, 4.0, 20.0, 15.0), seed=0):
    return sample_pixels(n, height, width, torch.tensor(bbox), generator_for(seed, 0, 0))


def test_all_pixels_are_in_the_image():
    u, v = sample(400).unbind(dim=-1)
    assert u.min() >= 0 and u.max() < 30 and v.min() >= 0 and v.max() < 20


def test_the_second_half_is_strictly_inside_the_box():
    u, v = sample(200)[100:].unbind(dim=-1)
    assert u.min() > 5 and u.max() < 20 and v.min() > 4 and v.max() < 15


def test_a_box_is_exhausted_before_a_pixel_repeats():
    # Strictly inside (2, 3)...(5, 6) are the pixels 3, 4 by 4, 5.
    inside = sample(100, bbox=(2.0, 3.0, 5.0, 6.0))[50:]
    assert sorted(map(tuple, inside.tolist())) == [(3, 4), (3, 5), (4, 4), (4, 5)]


def test_neither_half_repeats_a_pixel():
    pixels = sample(280)
    for half in (pixels[:140], pixels[140:]):
        assert len(half.unique(dim=0)) == len(half)


def test_an_image_with_few_pixels_gives_all_of_them_once():
    pixels = sample(1000, height=3, width=4, bbox=(10.0, 10.0, 11.0, 11.0))
    assert len(pixels) == 12 and len(pixels.unique(dim=0)) == 12


@pytest.mark.parametrize("n", [0, 1, 3])
def test_an_odd_number_gives_the_image_one_more(n):
    pixels = sample(n)
    assert pixels.shape == (n, 2)


def test_the_first_half_reaches_the_whole_image():
    first = sample(1200)[:600]
    assert len(first.unique(dim=0)) == 600


def test_the_same_seed_epoch_and_frame_give_the_same_pixels():
    box = torch.tensor([5.0, 4.0, 20.0, 15.0])
    draw = [sample_pixels(50, 20, 30, box, generator_for(1, 2, 3)) for _ in range(2)]
    assert torch.equal(*draw)


@pytest.mark.parametrize("other", [(2, 23, 4), (1, 24, 4), (1, 23, 5), (4, 23, 1), (12, 3, 4)])
def test_another_seed_epoch_or_frame_gives_others(other):
    one = torch.rand(4, generator=generator_for(1, 23, 4))
    assert not torch.equal(one, torch.rand(4, generator=generator_for(*other)))


def test_negative_numbers_are_allowed_and_differ():
    one, two = (torch.rand(4, generator=generator_for(0, 0, frame)) for frame in (-1, 1))
    assert not torch.equal(one, two)
