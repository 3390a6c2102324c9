"""A fit's page and advice, from the frames and the report that preprocessing has at hand."""

import base64
from dataclasses import dataclass, replace

import numpy as np
import pytest

from imavatar.data.video_file import write_video
from imavatar.preprocessing.crop import Crop
from imavatar.preprocessing.face_tracks import NO_FACE
from imavatar.preprocessing.focal_search import FocalRange
from imavatar.preprocessing.frame_analysis import AnalysedVideo
from imavatar.preprocessing.frame_cache import CachedFrame, FrameCache
from imavatar.preprocessing.frame_quality import LeftOut
from imavatar.preprocessing.observations import Observations
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.report import PreprocessReport
from imavatar.preprocessing.survey import Survey
from imavatar.preprocessing.tracking import TrackingResult
from imavatar.preprocessing.user_report import report_facts, report_to_user

SIZE, N = 64, 30


@pytest.fixture
def fitted(tmp_path):
    """Videos whose frames are at hand, what was seen in them, the fit, and the report on it."""
    grey = np.full((SIZE, SIZE), 100, np.uint8)
    with FrameCache(tmp_path / "frames.raw", SIZE) as cache:
        for _ in range(N):
            cache.append(CachedFrame(np.dstack([grey] * 3), grey, grey))
        survey = Survey(tmp_path / "me & you.mp4", 0, 1, height=4 * SIZE, width=4 * SIZE, n_frames=N + 2)
        video = AnalysedVideo(
            survey,
            np.zeros(N + 2, np.int64),
            cache,
            Crop(0, 0, 4 * SIZE),
            (SIZE / 2, SIZE / 2),
            0.25,
            25.0,
            left_out=[LeftOut(31, NO_FACE), LeftOut(32, NO_FACE)],
            thumbnails={31: b"a picture"},
        )
        video.time, video.landmarks = list(range(N)), []
        landmarks = np.random.default_rng(0).uniform(10, 50, (N, 468, 2))
        landmarks[:, 10, 1], landmarks[:, 152, 1] = 5, 55
        observations = Observations(
            landmarks=landmarks,
            irises=np.zeros((N, 2, 2)),
            iris_weight=np.ones((N, 2)),
            video=np.zeros(N, np.int64),
            time=np.arange(N),
            size=(SIZE, SIZE),
        )
        result = TrackingResult(
            shape=np.zeros(100),
            expression=np.zeros((N, 50)),
            pose=np.zeros((N, 15)),
            translation=np.tile([0.0, 0.0, -4.0], (N, 1)),
            focal=150.0,
            focal_range=FocalRange(150.0, 150.0 / 1.1, 150.0 * 1.1),
            landmarks=landmarks + 0.1,
            keypoints=np.zeros((N, 70, 2)),
            error=np.full((N, 468), 0.1 * 2**0.5),
            face_height=observations.face_height,
        )
        report = PreprocessReport.of(
            [video], result, {"train": 24, "test": 6}, PreprocessOptions("me", (survey.path,), tmp_path)
        )
        write_video(tmp_path / "overlay.mp4", np.zeros((N, SIZE, 2 * SIZE, 3), np.uint8), 25)
        yield tmp_path / "overlay.mp4", report, [video], observations, result


def test_the_page_lies_beside_the_overlay_and_the_report_has_the_advice(fitted):
    overlay, report, *_ = fitted
    advised = report_to_user(*fitted, fps=10.0)
    text = overlay.with_name("report.html").read_text(encoding="utf-8")
    assert replace(advised, advice=[]) == report
    topics = [entry["topic"] for entry in advised.advice]
    assert {"frames", "turns", "distance"} <= set(topics) and "face size" not in topics
    assert all(entry["text"].replace("'", "&#x27;") in text for entry in advised.advice)
    assert f"a next recording could improve: {', '.join(topics)}" in advised.summary()
    assert "report.html" in advised.summary() and "report.html" not in report.summary()
    assert "Tracking of me &amp; you.mp4" in text and '"fps": 10.0' in text
    assert "me &amp; you.mp4, frame 32: no face found" in text
    assert "The face is 200 pixels high in the video" in text  # 50 of the images, each 4 of the video


def test_frames_that_were_left_out_are_shown_where_there_is_a_picture(fitted):
    report_to_user(*fitted, fps=None)
    text = fitted[0].with_name("report.html").read_text(encoding="utf-8")
    assert base64.b64encode(b"a picture").decode() in text and '"fps": 25.0' in text


def test_what_was_measured_is_said_with_the_reason(fitted):
    overlay, report, *rest = fitted
    entry = {"video": "me & you.mp4", "frame": 33, "reason": "blurred", "value": 0.1234}
    report_to_user(overlay, replace(report, left_out=[entry]), *rest, fps=25.0)
    assert "frame 33: blurred (0.123)" in overlay.with_name("report.html").read_text(encoding="utf-8")


def test_facts_are_said_also_where_a_report_has_more_of_them(fitted):
    report = fitted[1]
    facts = report_facts(report)
    assert facts["focal length"].startswith("600 px of the video, 150 px of the images (estimated; 545 to 660 px")
    assert facts["frames written"] == "train 24, test 6" and facts["frames read"] == "32"
    assert facts["landmark error"] == "0.14 px, 0.28 % of the face's height"
    assert not {"left out", "advice", "request"} & set(facts)

    @dataclass(frozen=True)
    class Newer(PreprocessReport):
        """As a later version might be."""

        crop: tuple[int, int, int] | None = None
        notes: tuple[str, ...] = ()
        range_of_focus: dict | None = None
        frames_used: tuple[int, ...] = (1, 2, 3)
        tone_mapped: bool = False

    newer = Newer(**vars(report), crop=(1, 2, 3), notes=("turned by 90°", "HDR"), range_of_focus={"low": 0.91234})
    facts = report_facts(newer)
    assert (facts["crop"], facts["notes"]) == ("1; 2; 3", "turned by 90°; HDR")
    assert "frames used" not in facts
    assert (facts["range of focus"], facts["tone mapped"]) == ("low 0.9123", "no")
