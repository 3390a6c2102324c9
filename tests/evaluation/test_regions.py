"""Parts of a face: their geometry, and what they are not measured on."""

import math

import pytest
import torch

from imavatar.anatomy import SemanticClass
from imavatar.evaluation.regions import EYE_MARGIN, MOUTH_MARGIN, RIM, around, eyes, hair_and_rim, mouth, rim

SIZE = (96, 160)


def everywhere(size=SIZE):
    return torch.ones(size, dtype=torch.bool)


def pixels(size=SIZE):
    """Columns and rows of all pixels."""
    v, u = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    return u.double(), v.double()


def ellipse(n: int, centre: tuple[float, float], half_width: float, half_height: float):
    angle = torch.arange(n) * 2 * math.pi / n
    x, y = centre[0] + half_width * angle.cos(), centre[1] + half_height * angle.sin()
    return torch.stack([x, y], dim=1)


def face(right=(50.0, 40.0), left=(110.0, 40.0), lips=(80.0, 75.0), half_eye=(12.0, 12.0), scale=1.0):
    """68 landmarks, of which those of the eyes and the outer lips are ellipses."""
    points = torch.zeros(68, 2)
    for part, centre, half in ((slice(36, 42), right, half_eye[0]), (slice(42, 48), left, half_eye[1])):
        points[part] = ellipse(6, centre, half, 4.0)
    points[48:60] = ellipse(12, lips, 20.0, 6.0)
    return points * scale


def distance_to_segment(a, b, size=SIZE):
    """Of all pixels the distance to a segment, by projection."""
    u, v = pixels(size)
    along = torch.tensor(b) - torch.tensor(a)
    t = (((u - a[0]) * along[0] + (v - a[1]) * along[1]) / along.square().sum()).clamp(0, 1)
    return torch.hypot(u - a[0] - t * along[0], v - a[1] - t * along[1])


@pytest.mark.parametrize(("a", "b"), [((40.0, 30.0), (100.0, 30.0)), ((60.3, 20.6), (90.1, 70.2))])
def test_points_in_a_row_have_the_stadium_around_them_as_region(a, b):
    points = torch.tensor([a, b, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]])
    reach = 0.2 * math.dist(a, b)
    found, distance = around(points, 0.2, everywhere()), distance_to_segment(a, b)
    assert found[distance < reach - 1].all() and not found[distance > reach + 1].any()


@pytest.mark.parametrize("size", [(96, 160), (160, 96)])
def test_a_disc_grows_by_a_share_of_its_width(size):
    u, v = pixels(size)
    found = around(ellipse(60, (45.5, 50.25), 20, 20), 0.25, everywhere(size))
    distance = torch.hypot(u - 45.5, v - 50.25)
    assert found[distance < 29].all() and not found[distance > 31].any()


def test_eyes_are_both_eyes_with_lids_and_the_mouth_is_the_lips():
    points, (u, v) = face(), pixels()
    found, lips = eyes(points, everywhere()), mouth(points, everywhere())
    for x in (50, 110):
        near = torch.hypot(u - x, v - 40)
        assert found[near < 4 + EYE_MARGIN * 24 - 2].all()
    beyond = (torch.hypot(u - 50, v - 40) > 12 + EYE_MARGIN * 24 + 1) & (torch.hypot(u - 110, v - 40) > 21)
    assert not found[beyond].any() and not (found & lips).any()
    assert lips[75, 60 - 5] and lips[75, 100 + 5] and not lips[75, 60 - 8] and not lips[75, 100 + 8]
    assert lips[75 + 6 + round(MOUTH_MARGIN * 40) - 1, 80] and not lips[75 + 6 + round(MOUTH_MARGIN * 40) + 2, 80]


def test_regions_grow_with_the_picture():
    small = eyes(face(), everywhere()).sum()
    large = eyes(face(scale=2.0), everywhere((192, 320))).sum()
    assert float(large / small) == pytest.approx(4, rel=0.06)


def test_parts_that_are_too_small_are_not_measured():
    tiny = around(ellipse(6, (50.0, 40.0), 2.5, 2.0), EYE_MARGIN, everywhere())
    assert not tiny.any()
    assert not eyes(face(scale=0.2), everywhere()).any()


def test_landmarks_at_one_point_or_far_beyond_the_picture_are_not_measured():
    assert not around(torch.full((6, 2), 40.0), 0.3, everywhere()).any()
    assert not around(torch.tensor([[0.0, 0.0], [1e6, 1e6], [0.0, 1e6]]), 0.3, everywhere()).any()
    assert not around(ellipse(6, (-4000.0, 9000.0), 12, 4), 0.3, everywhere()).any()


@pytest.mark.parametrize(("x", "is_seen"), [(3.0, True), (-3.0, False), (156.0, True), (163.0, False)])
def test_a_part_of_which_less_than_half_is_in_the_picture_is_not_measured(x, is_seen):
    assert around(ellipse(20, (x, 40.0), 12, 8), 0.2, everywhere()).any() == is_seen


def test_a_part_is_within_the_mask_and_needs_half_of_it():
    points, mask = face(), everywhere()
    mask[:, :46] = False
    assert torch.equal(eyes(points, mask), eyes(points, everywhere()) & mask)
    mask[:, :60] = False
    left = eyes(points, mask)
    assert left[40, 110] and not left[:, :80].any()


def test_of_a_turned_head_the_far_eye_is_not_measured():
    narrow = eyes(face(half_eye=(12.0, 3.5)), everywhere())
    assert narrow[40, 50] and not narrow[:, 90:].any()
    assert eyes(face(half_eye=(12.0, 5.5)), everywhere())[40, 110]


@pytest.mark.parametrize("size", [(250, 400), (40, 30)])
def test_the_rim_is_near_the_outline_on_both_sides_and_not_at_the_pictures_border(size):
    u, _ = pixels(size)
    edge = size[1] // 2
    found = rim(u < edge)
    reach = max(1, math.floor(RIM * min(size)))
    assert torch.equal(found, (u >= edge - reach) & (u < edge + reach))


def test_without_an_outline_there_is_no_rim():
    assert not rim(everywhere()).any() and not rim(~everywhere()).any()


def test_hair_counts_with_the_rim_and_only_in_the_mask():
    u, v = pixels()
    semantics = torch.zeros(*SIZE, 9)
    semantics[..., SemanticClass.HAIR] = (v < 30).float()
    mask = u < 80
    assert torch.equal(hair_and_rim(mask, semantics), ((v < 30) & mask) | rim(mask))
