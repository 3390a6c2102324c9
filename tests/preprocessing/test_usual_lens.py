import math

import pytest

from imavatar.preprocessing.usual_lens import USUAL, lens_of_video


def test_a_stated_focal_length_counts_for_the_diagonal():
    """50 mm on 36 x 24 is a diagonal angle of view of 46.8 degrees, whatever the picture's shape."""
    for width, height in ((1920, 1080), (1080, 1920), (640, 480), (500, 500)):
        lens = lens_of_video(width, height, 50.0)
        angle = 2 * math.degrees(math.atan(math.hypot(width, height) / 2 / lens.focal))
        assert angle == pytest.approx(46.8, abs=0.05)
        assert lens.spread < lens_of_video(1920, 1080).spread


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (3840, 2160), (640, 480), (2340, 1080), (1280, 852)])
def test_a_cameras_picture_has_a_cameras_lens_upright_or_not(size):
    lens = lens_of_video(*size)
    assert lens.focal == USUAL * max(size)
    assert lens_of_video(*size[::-1]) == lens


@pytest.mark.parametrize("size", [(512, 512), (512, 480), (720, 600), (320, 180)])
def test_of_a_picture_that_was_cut_out_nothing_is_known(size):
    assert lens_of_video(*size) is None
