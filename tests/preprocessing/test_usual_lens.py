import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imavatar.data.video_facts import Camera, VideoFacts
from imavatar.errors import DataError
from imavatar.preprocessing.crop import Crop
from imavatar.preprocessing.focal_search import Lens
from imavatar.preprocessing.frame_analysis import AnalysedVideo
from imavatar.preprocessing.frame_cache import FrameCache
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.survey import Survey
from imavatar.preprocessing.usual_lens import USUAL, lens_of, lens_of_video


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


@pytest.fixture
def cache(tmp_path):
    with FrameCache(tmp_path / "frames.raw", 512) as cache:
        yield cache


def a_video(cache, **facts):
    """A landscape video of which a square is cut out and made smaller."""
    known = VideoFacts("a.mp4", 1920, 1080, 1.0, 25, 25.0, **facts)
    survey = Survey(Path("a.mp4"), 0, 1, height=1080, width=1920, facts=known)
    return AnalysedVideo(survey, np.zeros(25, np.int64), cache, Crop(600, 0, 1024), (180.0, 270.0), 0.5, 25.0)


def test_what_is_asked_for_counts_before_what_the_file_says(cache):
    video = a_video(cache, camera=Camera(focal_35mm=26.0))
    options = PreprocessOptions("me", (Path("a.mp4"),), Path("out"))
    assert lens_of(replace(options, focal=1500.0), video) == Lens(750.0)
    wide = lens_of(replace(options, fov=60.0), video)
    assert wide.known and wide.focal == pytest.approx(960 / math.tan(math.radians(30)) / 2)
    assert lens_of(options, video).focal == pytest.approx(26 / 43.27 * math.hypot(1920, 1080) / 2, rel=1e-3)
    assert lens_of(options, a_video(cache)).focal == pytest.approx(USUAL * 1920 / 2)


def test_focal_length_and_angle_of_view_exclude_each_other():
    options = PreprocessOptions("me", (Path(__file__),), Path("out"))
    with pytest.raises(DataError, match="give one of them"):
        replace(options, focal=900.0, fov=60.0).check()
    with pytest.raises(DataError, match=r"fov 175.*at most 170"):
        replace(options, fov=175.0).check()
