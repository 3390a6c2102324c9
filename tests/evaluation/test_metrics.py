"""Metrics against closed forms and against scikit-image."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from imavatar.evaluation.metrics import (
    PSNR_CAP,
    depth_error,
    keypoint_error,
    mask_iou,
    mean_absolute_error,
    mean_point_distance,
    normal_error,
    psnr,
    ssim,
    temporal_error,
)


@pytest.fixture
def images():
    """Two related random images."""
    generator = torch.Generator().manual_seed(3)
    first = torch.rand(37, 29, 3, generator=generator)
    noise = torch.randn(37, 29, 3, generator=generator)
    return first, (first + 0.1 * noise).clamp(0, 1)


@pytest.mark.parametrize("offset", [0.5, 0.1, -0.02])
def test_a_constant_offset_has_the_mae_and_psnr_of_the_closed_form(offset):
    truth = torch.full((13, 17, 3), 0.5)
    image = truth + offset
    assert mean_absolute_error(image, truth) == pytest.approx(abs(offset), abs=1e-6)
    assert psnr(image, truth) == pytest.approx(-20 * math.log10(abs(offset)), abs=1e-4)


def test_equal_images_have_the_capped_psnr_and_ssim_one(images):
    assert psnr(images[0], images[0]) == PSNR_CAP
    assert ssim(images[0], images[0]) == pytest.approx(1, abs=1e-12)
    assert mean_absolute_error(images[0], images[0]) == 0


def test_psnr_agrees_with_scikit_image(images):
    image, truth = (part.double().numpy() for part in images)
    expected = peak_signal_noise_ratio(truth, image, data_range=1)
    assert psnr(*images) == pytest.approx(expected, abs=1e-9)


def test_ssim_agrees_with_scikit_image(images):
    image, truth = (part.double().numpy() for part in images)
    expected = structural_similarity(
        truth,
        image,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=1,
    )
    assert ssim(*images) == pytest.approx(expected, abs=1e-9)


def test_ssim_of_two_flat_images_has_only_the_brightness_term():
    first, second = torch.full((20, 20, 3), 0.25), torch.full((20, 20, 3), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert ssim(first, second) == pytest.approx(expected, abs=1e-9)


def test_ssim_does_not_depend_on_the_order(images):
    assert ssim(*images) == pytest.approx(ssim(images[1], images[0]), abs=1e-12)


@pytest.mark.parametrize("metric", [mean_absolute_error, psnr, ssim])
def test_a_mask_of_everything_changes_nothing(metric, images):
    everything = torch.ones(37, 29, dtype=torch.bool)
    assert metric(*images, everything) == pytest.approx(metric(*images), abs=1e-12)


@pytest.mark.parametrize("metric", [mean_absolute_error, psnr, ssim])
def test_an_empty_mask_leaves_a_metric_undefined(metric, images):
    assert metric(*images, torch.zeros(37, 29, dtype=torch.bool)) is None


def test_an_image_smaller_than_the_window_has_no_ssim():
    assert ssim(torch.zeros(10, 40, 3), torch.zeros(10, 40, 3)) is None


def test_the_iou_of_two_overlapping_squares_is_the_ratio_of_the_areas():
    first, second = (torch.zeros(20, 20, dtype=torch.bool) for _ in range(2))
    first[0:10, 0:10] = True
    second[5:15, 0:10] = True
    assert mask_iou(first, second) == pytest.approx(50 / 150)
    assert mask_iou(first, first) == 1
    assert mask_iou(first, ~first) == 0


def test_the_iou_of_two_empty_masks_is_undefined():
    nothing = torch.zeros(4, 4, dtype=torch.bool)
    assert mask_iou(nothing, nothing) is None


def test_a_shift_of_all_points_is_their_mean_distance():
    points = torch.rand(68, 2, generator=torch.Generator().manual_seed(0))
    assert mean_point_distance(points + torch.tensor([3.0, 4.0]), points) == pytest.approx(5)


def test_the_keypoint_error_compares_the_first_68_points_with_the_detected_ones():
    truth = 50 * torch.rand(70, 2, generator=torch.Generator().manual_seed(0))
    found = truth[:68].numpy() + np.array([0.0, 2.0], np.float32)
    assert keypoint_error(found, truth) == pytest.approx(2, abs=1e-5)


def test_without_a_face_the_keypoint_error_is_undefined():
    assert keypoint_error(None, torch.zeros(68, 2)) is None


def test_a_detector_with_another_number_of_points_is_refused():
    with pytest.raises(ValueError, match="68 points"):
        keypoint_error(np.zeros((5, 2)), torch.zeros(68, 2))


@pytest.mark.parametrize("degrees", [0.0, 1e-3, 30.0, 90.0, 180.0])
def test_turned_normals_are_off_by_the_angle(degrees):
    angle = math.radians(degrees)
    truth = torch.tensor([[0.0, 0.0, 1.0]]).repeat(2, 1)[None]
    found = torch.tensor([[math.sin(angle), 0.0, math.cos(angle)]]).repeat(2, 1)[None]
    mask = torch.ones(1, 2, dtype=torch.bool)
    assert normal_error(found, truth, mask) == pytest.approx(degrees, abs=1e-5)


def test_normals_count_where_both_images_have_one():
    truth = torch.tensor([[[0.0, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1]]])
    found = torch.tensor([[[0.0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1]]])
    assert normal_error(found, truth, torch.tensor([[True, True, True, False]])) == pytest.approx(90)
    assert normal_error(found, truth, torch.tensor([[False, True, True, False]])) is None


def test_depths_count_where_both_images_have_one():
    truth = torch.tensor([[2.0, 2.0, 0.0, 2.0, 3.0]])
    found = torch.tensor([[2.5, 0.0, 2.0, 9.0, 2.0]])
    mask = torch.tensor([[True, True, True, False, True]])
    assert depth_error(found, truth, mask) == pytest.approx(0.75)
    assert depth_error(found, truth, torch.tensor([[False, True, True, False, False]])) is None


def test_a_constant_error_has_no_change_and_a_jump_has_its_size():
    truths = tuple(torch.rand(6, 5, 3) for _ in range(2))
    mask = torch.ones(6, 5, dtype=torch.bool)
    assert temporal_error(tuple(truth + 0.1 for truth in truths), truths, mask) == pytest.approx(0, abs=1e-6)
    assert temporal_error((truths[0], truths[1] + 0.1), truths, mask) == pytest.approx(0.1, abs=1e-6)
    assert temporal_error((truths[0], truths[1] + 0.1), truths, None) == pytest.approx(0.1, abs=1e-6)
    assert temporal_error(truths, truths, ~mask) is None
