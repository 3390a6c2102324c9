"""Scores of small regions: they do not see the rest, and LPIPS sees the region large."""

import math

import pytest
import torch

from imavatar.evaluation.close_up import SHORTER_SIDE, CloseUp
from imavatar.evaluation.metrics import ssim
from imavatar.evaluation.scoring import close_up_scores

SIZE = (70, 110)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(3)
    truth = torch.rand(*SIZE, 3, generator=generator)
    return (truth + 0.1 * torch.randn(*SIZE, 3, generator=generator)).clamp(0, 1), truth


def largest(a, b) -> float:
    """In the place of LPIPS: the largest difference."""
    return float((a - b).abs().max())


def box(rows: slice, columns: slice):
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


REGIONS = {
    "inside": box(slice(30, 42), slice(20, 60)),
    "in a corner": box(slice(0, 12), slice(90, 110)),
    "two parts": box(slice(30, 42), slice(20, 40)) | box(slice(26, 36), slice(70, 90)),
}


@pytest.mark.parametrize("name", REGIONS)
def test_what_is_outside_of_the_region_changes_nothing(name, images):
    (image, truth), region = images, REGIONS[name]
    changed = torch.where(region[..., None], image, torch.rand(*SIZE, 3))
    found = close_up_scores(image, truth, region, largest)
    assert found == close_up_scores(changed, truth, region, largest)
    assert all(value is not None and value > 0 for value in found.values())


def test_an_error_elsewhere_is_none_and_an_offset_inside_is_its_size():
    truth, region = torch.full((*SIZE, 3), 0.5), REGIONS["two parts"]
    elsewhere = close_up_scores(torch.where(region[..., None], truth, truth + 0.3), truth, region, largest)
    assert (elsewhere["psnr"], elsewhere["mae"], elsewhere["lpips"]) == (100.0, 0.0, 0.0)
    inside = close_up_scores(torch.where(region[..., None], truth + 0.25, truth), truth, region, largest)
    assert inside["psnr"] == pytest.approx(-20 * math.log10(0.25)) and inside["mae"] == pytest.approx(0.25)
    assert inside["lpips"] == pytest.approx(0.5)


@pytest.mark.parametrize("name", REGIONS)
def test_windows_of_the_cut_are_those_of_the_whole_picture(name, images):
    (image, truth), region = images, REGIONS[name]
    whole = ssim(torch.where(region[..., None], image, truth), truth, region)
    assert close_up_scores(image, truth, region, None)["ssim"] == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(
    ("region", "size"),
    [(box(slice(30, 40), slice(20, 60)), (64, 256)), (box(slice(0, 66), slice(0, 70)), (66, 70))],
)
def test_lpips_sees_the_regions_box_enlarged_to_the_side_that_it_needs(region, size, images):
    seen = []
    close_up_scores(*images, region, lambda a, b: seen.append((a, b)) or 0.5)
    ((image, truth),) = seen
    assert image.shape == truth.shape == (*size, 3) and min(size) >= SHORTER_SIDE
    assert image.min() >= -1 and image.max() <= 1
    rows, columns = region.nonzero().min(dim=0).values.tolist(), region.nonzero().max(dim=0).values.tolist()
    whole = 2 * images[0][rows[0] : columns[0] + 1, rows[1] : columns[1] + 1] - 1
    torch.testing.assert_close(image.mean(dim=(0, 1)), whole.mean(dim=(0, 1)), atol=0.02, rtol=0)


def test_outside_of_the_region_both_cuts_are_the_truth(images):
    close = CloseUp.of(*images, REGIONS["two parts"])
    assert torch.equal(close.image[~close.region], close.truth[~close.region])
    assert close.region.shape == (42 - 26 + 10, 90 - 20 + 10)


def test_a_region_without_pixels_has_no_scores(images):
    found = close_up_scores(*images, torch.zeros(SIZE, dtype=torch.bool), lambda a, b: 1.0)
    assert set(found.values()) == {None}
