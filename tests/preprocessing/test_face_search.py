"""Small faces are found by windows, by a detector that sees only what is large in its picture."""

import cv2
import numpy as np
import pytest

from drawn_faces import boxes_of, picture, points_of
from imavatar.preprocessing import face_search
from imavatar.preprocessing.detection import Detection, overlap
from imavatar.preprocessing.face_search import FaceSearch, squares
from imavatar.preprocessing.landmarks import FaceLandmarks


class CoarseDetector:
    """Sees framed squares that are not cut off and at least a fifth of the picture's longer side."""

    def __init__(self, path):
        self.pictures = 0

    def detect(self, rgb):
        self.pictures += 1
        large = [box for box in boxes_of(rgb) if box[2] - box[0] >= 0.2 * max(rgb.shape[:2])]
        return [Detection(box, points_of(box)[:6], 0.9) for box in large]


class Checker:
    """The landmark model: a face is a framed square that is nearly one."""

    def refine(self, rgb, region):
        low = np.maximum(np.round(region.centre - region.side / 2).astype(int), 0)
        boxes = [
            box + np.tile(low, 2) for box in boxes_of(rgb[low[1] :, low[0] :][: int(region.side), : int(region.side)])
        ]
        square = [box for box in boxes if 0.8 < (box[2] - box[0]) / (box[3] - box[1]) < 1.25]
        return FaceLandmarks(points_of(square[0]), np.zeros((2, 5, 2)), 1 - 1e-8) if square else None


@pytest.fixture
def search(monkeypatch):
    monkeypatch.setattr(face_search, "asset_path", lambda name: name)
    monkeypatch.setattr(face_search, "FaceDetector", CoarseDetector)
    monkeypatch.setattr(face_search, "FaceLandmarker", Checker)
    return FaceSearch()


@pytest.mark.parametrize(("height", "width", "side"), [(60, 100, 20), (100, 60, 25), (33, 33, 33), (50, 51, 50)])
def test_every_square_of_half_the_side_lies_in_one_of_the_windows(height, width, side):
    windows = list(squares(height, width, side))
    assert all(0 <= x <= width - s and 0 <= y <= height - s and s == side for x, y, s in windows)
    half = side // 2 - 1
    for x in range(width - half):
        for y in range(height - half):
            assert any(u <= x <= u + s - half and v <= y <= v + s - half for u, v, s in windows)


@pytest.mark.parametrize("place", [(30, 20, 60), (520, 250, 40), (300, 7, 30)])
def test_a_small_face_is_found_by_a_thorough_search_and_then_by_where_it_was(search, place):
    x, y, side = place
    rgb = picture(360, 640, (1, x, y, side))
    assert search(rgb) == []
    (face,) = search(rgb, thorough=True)
    true = np.array([x, y, x + side, y + side], float)
    assert overlap(face.box, true) > 0.85 and face.certainty > 10
    before = search._detector.pictures
    (again,) = search(rgb, [true])
    np.testing.assert_allclose(again.box, face.box, atol=2)
    assert search._detector.pictures - before == 2


def test_boxes_are_in_pixels_of_a_large_picture(search):
    rgb = cv2.resize(picture(270, 480, (1, 300, 60, 120)), (1920, 1080), interpolation=cv2.INTER_NEAREST)
    (face,) = search(rgb)
    np.testing.assert_allclose(face.box, [1200, 240, 1680, 720], atol=8)
    np.testing.assert_allclose(face.points, points_of(face.box), atol=8)


def test_a_part_of_a_face_at_the_edge_of_a_window_is_none(search):
    """Windows cut the face; those that show it whole decide."""
    (face,) = search(picture(200, 600, (1, 250, 20, 70)), thorough=True)
    np.testing.assert_allclose(face.box, [250, 20, 320, 90], atol=3)
