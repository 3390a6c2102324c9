"""A video as a motion: tracked once, in step with the video."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imavatar.data.subject import FrameRecord
from imavatar.errors import DataError
from imavatar.preprocessing import video_motion
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.report import PreprocessReport
from imavatar.preprocessing.video_motion import track_motion, without_gaps


def frame(number: int) -> FrameRecord:
    """A frame whose values tell its number."""
    nothing = Path()
    return FrameRecord(
        name=str(number),
        sub_dir="train",
        image_path=nothing,
        mask_path=nothing,
        semantic_path=nothing,
        world_mat=np.eye(4)[:3],
        expression=0.1 * number + np.arange(60.0),
        pose=0.01 * number * np.ones(15),
        bbox=np.zeros(4),
        keypoints=np.zeros((70, 2)),
        video_frame=number,
    )


def test_frames_that_were_not_tracked_are_filled_in_and_the_order_is_the_videos():
    motion, numbers = without_gaps([frame(8), frame(3), frame(4), frame(9)], 50)
    assert numbers == [3, 4, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(motion.expression[:, 2], 2 + 0.1 * np.arange(3, 10), rtol=1e-6)
    np.testing.assert_allclose(motion.pose[:, 14], 0.01 * np.arange(3, 10), rtol=1e-6)
    assert motion.expression.shape == (7, 50)


def test_what_is_tracked_is_found_again_and_apart_from_other_requests(tmp_path, monkeypatch):
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"a video")
    asked = []

    def preprocess(options):
        asked.append(options)
        return PreprocessReport(4, 4, {"train": 3, "test": 1}, [], {}, 100.0, 500.0, True)

    parts = {"train": [frame(0), frame(1), frame(2)], "test": [frame(4)]}
    monkeypatch.setattr(video_motion, "preprocess", preprocess)
    monkeypatch.setattr(
        video_motion, "load_recording", lambda folder: type("Recording", (), {"frames": tuple(parts[folder.name])})
    )
    options = PreprocessOptions("clip", (video,), tmp_path / "out")
    motion, numbers, folder = track_motion(options, n_expression=50)
    assert numbers == [0, 1, 2, 3, 4] and len(motion) == 5
    track_motion(options, n_expression=50)
    track_motion(replace(options, fps=30.0), n_expression=50)
    video.write_bytes(b"another video")
    track_motion(options, n_expression=50)
    names = [own.subject for own in asked]
    assert names[0] == names[1] == folder.name and len(set(names)) == 3
    assert all(name.startswith("clip-") for name in names)


def test_a_video_that_is_not_there_is_named(tmp_path):
    options = PreprocessOptions("none", (tmp_path / "none.mp4",), tmp_path)
    with pytest.raises(DataError, match=r"none\.mp4: no such video file"):
        track_motion(options, n_expression=50)
