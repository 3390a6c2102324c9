"""The square around a head, in pictures of all shapes."""

from pathlib import Path

import numpy as np
import pytest

from imavatar.errors import DataError
from imavatar.preprocessing.crop import Crop, Heads, common_crops


def heads(width: int, height: int, box: tuple[float, ...], name: str = "a.mp4") -> Heads:
    """A head that sways a little around a box."""
    sway = np.sin(np.arange(100))[:, None] * [3, 2, 3, 2]
    return Heads(Path(name), height, width, np.array(box) + sway)


def crop_of(width: int, height: int, box: tuple[float, ...]) -> Crop:
    (crop,) = common_crops([heads(width, height, box)])
    crop.check(height, width, Path("a.mp4"))
    return crop


def holds(crop: Crop, left: float, top: float, right: float, bottom: float) -> bool:
    inside = crop.x <= left and crop.y <= top
    return inside and crop.x + crop.side >= right and crop.y + crop.side >= bottom


@pytest.mark.parametrize("corner", [(400, 300), (1400, 200), (900, 420)])
def test_a_small_face_gets_a_square_with_hair_and_shoulders_wherever_it_is(corner):
    x, y = corner
    crop = crop_of(1920, 1080, (x, y, x + 200, y + 200))
    assert holds(crop, x - 80, y - 140, x + 280, y + 320)
    assert crop.side < 560


def test_a_face_high_in_a_portrait_keeps_its_hair_and_its_chin():
    crop = crop_of(720, 1280, (160, 414, 586, 840))
    assert crop.side == 720 and holds(crop, 0, 414 - 0.5 * 426, 720, 840 + 0.1 * 426)
    assert crop_of(720, 1280, (160, 150, 586, 576)).y == 0


def test_of_a_head_that_fills_the_picture_all_is_taken():
    assert crop_of(512, 512, (110, 205, 418, 513)) == Crop(0, 0, 512)


def test_what_leaves_the_picture_shifts_the_square_and_keeps_its_size():
    middle, corner = (crop_of(1920, 1080, (x, y, x + 150, y + 150)) for x, y in ((800, 500), (0, 0)))
    assert corner == Crop(0, 0, middle.side)


def test_a_few_wrong_detections_change_nothing():
    right = heads(1920, 1080, (800, 400, 1000, 600))
    wrong = np.array(right.boxes)
    wrong[50] = 0, 0, 1900, 1000
    (crop,) = common_crops([right])
    (again,) = common_crops([Heads(right.path, 1080, 1920, wrong)])
    assert abs(crop.side - again.side) <= 4 and abs(crop.x - again.x) <= 4 and abs(crop.y - again.y) <= 4


def principal_point(recording: Heads, crop: Crop) -> np.ndarray:
    """As a share of the written picture's side."""
    return (np.array([recording.width, recording.height]) / 2 - [crop.x, crop.y]) / crop.side


@pytest.mark.parametrize(
    "other",
    [
        heads(1920, 1080, (1100, 200, 1300, 400), "b.mp4"),
        heads(960, 540, (500, 150, 600, 250), "b.mp4"),
        heads(1080, 1920, (400, 700, 600, 900), "b.mp4"),
        heads(640, 640, (300, 200, 370, 270), "b.mp4"),
    ],
)
def test_several_videos_get_squares_of_one_camera(other):
    recordings = [heads(1920, 1080, (900, 300, 1100, 500)), other]
    crops = common_crops(recordings)
    for recording, crop in zip(recordings, crops, strict=True):
        crop.check(recording.height, recording.width, recording.path)
        assert holds(crop, *np.median(recording.boxes, axis=0))
    points = [principal_point(*pair) for pair in zip(recordings, crops, strict=True)]
    np.testing.assert_allclose(*points, atol=0.005)
    sides = [crop.side / max(r.width, r.height) for r, crop in zip(recordings, crops, strict=True)]
    assert sides[0] == pytest.approx(sides[1], abs=0.003)


def test_heads_too_far_apart_for_one_square_are_refused():
    recordings = [heads(720, 1280, (200, 100, 500, 400)), heads(720, 1280, (200, 900, 500, 1200), "b.mp4")]
    with pytest.raises(DataError, match=r"\.mp4: its face is so far from where it is in the other videos"):
        common_crops(recordings)


def test_a_crop_cuts_the_square_and_scales_it():
    frame = np.zeros((60, 80, 3), np.uint8)
    frame[10:30, 20:40] = 200
    assert (Crop(20, 10, 20).apply(frame, 40) == 200).all()
    assert Crop.centred(60, 80) == Crop(10, 0, 60)
