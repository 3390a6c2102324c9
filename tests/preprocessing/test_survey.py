"""The first look at drawn videos: cuts, and where faces are."""

import numpy as np
import pytest

from drawn_faces import moved, picture, tellers
from imavatar.data.images import write_png
from imavatar.data.video_file import write_video
from imavatar.preprocessing.survey import survey_video

N = 30


def seen(tmp_path, frames, fps=25.0):
    write_video(tmp_path / "a.mp4", frames, 25)
    return survey_video(tmp_path / "a.mp4", tellers(), fps)


def of(person: int, shade: int, count: int, x: int = 40) -> list[np.ndarray]:
    return [picture(96, 128, (person, x + moved(k), 30, 40), shade=shade) for k in range(count)]


def test_one_shot_has_no_cut_and_its_faces_are_where_they_are(tmp_path):
    survey = seen(tmp_path, of(1, 90, N))
    assert (survey.height, survey.width, survey.n_frames, survey.turn) == (96, 128, N, 0)
    assert survey.cuts == [] and {0, 5, 10, 15, 20, 25} <= set(survey.looks)
    for look, (sighting,) in zip(survey.looks, survey.sightings, strict=True):
        x = 40 + moved(look)
        np.testing.assert_allclose(sighting.box, [x, 30, x + 40, 70], atol=2.5)


def test_a_cut_is_the_first_frame_of_what_is_new(tmp_path):
    survey = seen(tmp_path, [*of(1, 200, 12), *of(2, 60, 18, x=70)])
    assert survey.cuts == [12]
    assert 12 in survey.looks


@pytest.mark.parametrize("shade", [0, 255])
def test_a_flash_is_no_cut(tmp_path, shade):
    frames = of(1, 120, N)
    frames[11] = frames[12] = np.full((96, 128, 3), shade, np.uint8)
    assert seen(tmp_path, frames).cuts == []


def test_frames_are_counted_at_the_rate_that_is_used(tmp_path):
    survey = seen(tmp_path, of(1, 90, N), fps=12.5)
    assert survey.n_frames == 15 and survey.interval == 2


def test_frames_of_another_shape_are_counted_and_left_out(tmp_path):
    for k, frame in enumerate(of(1, 90, 38)):
        write_png(tmp_path / f"{k}.png", frame[:, :64] if 15 <= k < 23 else frame)
    survey = survey_video(tmp_path, tellers(), 25.0)
    assert survey.n_frames == 38 and survey.cuts == []
    assert survey.left_out == dict.fromkeys(range(15, 23), "picture of another shape (64 x 96 pixels)")
    assert not set(survey.looks) & set(survey.left_out) and max(survey.looks) > 23
