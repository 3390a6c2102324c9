"""Brightness and sharpness of faces that are made bright and blurred."""

import cv2
import numpy as np

from imavatar.head.mesh_points import FACE_OVAL
from imavatar.preprocessing.face_looks import MOST_FRAMES, FaceLooks, face_looks


def face(n: int) -> np.ndarray:
    """Landmarks inside an oval from (20, 16) to (76, 80), beyond the right border where the picture is narrower."""
    angle = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points = np.tile([48.0, 48.0], (468, 1))
    points[list(FACE_OVAL)] = np.stack([48 + 28 * np.sin(angle), 48 - 32 * np.cos(angle)], axis=1)
    return np.tile(points, (n, 1, 1))


def test_brightness_is_the_faces_not_the_rooms():
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[16:81, 20:77] = 90
    looks = face_looks(lambda row: picture + np.uint8(10 * row), face(3))
    np.testing.assert_allclose(looks.brightness, [90, 100, 110], atol=1.5)


def test_a_blurred_frame_is_less_sharp_however_bright_it_is():
    sharp = np.random.default_rng(0).integers(60, 200, (96, 96, 3), dtype=np.uint8)
    pictures = [sharp] * 8 + [sharp // 2] + [cv2.GaussianBlur(sharp, (0, 0), 3)]
    looks = face_looks(lambda row: pictures[row], face(10))
    assert looks.blurred_share == 0.1
    assert looks.sharpness[9] < 0.1 * looks.sharpness[0] and looks.sharpness[8] > 0.9 * looks.sharpness[0]


def test_a_face_that_is_partly_outside_is_looked_at_inside():
    picture = np.full((60, 50, 3), 70, np.uint8)
    looks = face_looks(lambda row: picture, face(2) + [0.0, -30.0])
    np.testing.assert_allclose(looks.brightness, 70, atol=0.01)
    looks = face_looks(lambda row: picture, face(2) + 500.0)
    np.testing.assert_allclose(looks.brightness, 70, atol=0.01)


def test_of_many_frames_some_are_looked_at():
    asked = []

    def picture(row):
        asked.append(row)
        return np.zeros((96, 96, 3), np.uint8)

    assert len(face_looks(picture, face(1000)).brightness) == MOST_FRAMES
    assert (asked[0], asked[-1]) == (0, 999)


def test_equally_sharp_frames_are_not_blurred():
    assert FaceLooks(np.ones(5), np.ones(5)).blurred_share == 0
    assert FaceLooks(np.ones(5), np.zeros(5)).blurred_share == 0
