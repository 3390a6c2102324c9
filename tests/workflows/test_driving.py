"""Motions by the names that commands are given."""

from pathlib import Path

import numpy as np
import pytest
import torch

from imavatar.types import HeadParameters
from imavatar.workflows import driving
from imavatar.workflows.driving import clip_name, read_driving
from tiny_runs import untrained

NAMED, UNITS = {"smile": np.ones(50, np.float32)}, {"mouthPucker": np.full(50, 2.0, np.float32)}


@pytest.fixture
def trained(tmp_path):
    """As much of a trained avatar as a motion asks for."""
    return untrained(tmp_path, named_expressions=NAMED, face_units=UNITS)


def test_a_table_may_name_expressions_and_face_units(trained, tmp_path):
    (tmp_path / "a.csv").write_text("smile,mouthPucker,jawOpen\n1,0.5,1\n")
    found = read_driving(str(tmp_path / "a.csv"), trained, n_frames=5, fps=25.0, tracked=tmp_path)
    torch.testing.assert_close(found.motion.expression, torch.full((1, 50), 2.0))
    assert found.numbers is None and found.video is None


def test_a_video_is_tracked_with_the_avatars_head_and_keeps_its_sound(trained, tmp_path, monkeypatch):
    video, asked = tmp_path / "Me.MOV", []

    def track_motion(options, n_expression):
        asked.append((options, n_expression))
        return HeadParameters(torch.zeros(2, 50), torch.zeros(2, 15)), [3, 4], tmp_path / "Me-1234"

    monkeypatch.setattr("imavatar.preprocessing.video_motion.track_motion", track_motion)
    monkeypatch.setattr("imavatar.workflows.driving.find_head_file", lambda config: Path("head.npz"))
    found = read_driving(str(video), trained, n_frames=5, fps=30.0, tracked=tmp_path / "tracked")
    assert found.numbers == [3, 4] and found.video == video and len(found.motion) == 2
    ((options, n_expression),) = asked
    assert (options.videos, options.fps, options.out) == ((video,), 30.0, tmp_path / "tracked")
    assert options.head == Path("head.npz") and n_expression == 50


def test_the_built_in_motion_has_as_many_frames_as_asked_for(trained, tmp_path):
    assert len(read_driving(driving.SWEEP, trained, n_frames=7, fps=25.0, tracked=tmp_path).motion) == 7


def test_names_of_clips_tell_them_apart():
    assert clip_name("sweep", ()) == "sweep"
    assert clip_name("some/where/test/flame_params.json", ("sweep",)) == "test"
    assert clip_name("some/talk.mp4", ("talk", "talk_2")) == "talk_3"
    assert clip_name("interpolate:some/flame_params.json:1:4", ()) == "interpolate"
