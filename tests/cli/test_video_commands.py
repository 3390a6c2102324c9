"""What the commands about videos and recordings make of their arguments; the library behind them only remembers."""

from pathlib import Path

import pytest

from imavatar.cli import preprocess_main, track_images_main
from imavatar.paths import project_dir
from imavatar.preprocessing import pipeline
from imavatar.preprocessing import track_images as image_tracking
from imavatar.preprocessing.options import PreprocessOptions
from imavatar.preprocessing.report import PreprocessReport
from imavatar.preprocessing.track_images import TrackedImages

ERRORS = {"error_px": 1.5, "error_share": 0.01, "error_share_without_oval": 0.008}


@pytest.fixture(autouse=True)
def head(tmp_path, monkeypatch) -> Path:
    """An open head that is there and never read."""
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    path = tmp_path / "open_head.npz"
    path.touch()
    return path


def asked_for(monkeypatch, *arguments: str) -> PreprocessOptions:
    """The options that `preprocess` gets of the command."""
    asked = []

    def preprocess(options):
        asked.append(options)
        return PreprocessReport(10, 9, {"train": 7, "test": 2}, [], ERRORS, 100.0, 512.0, True, 1024.0, [900.0, 1500.0])

    monkeypatch.setattr(pipeline, "preprocess", preprocess)
    preprocess_main(["--subject", "me", *arguments])
    (options,) = asked
    return options


def test_a_video_alone_is_preprocessed_as_the_readme_says(monkeypatch, head, capsys):
    out = project_dir() / "data" / "datasets"
    assert asked_for(monkeypatch, "--video", "a.mp4") == PreprocessOptions("me", (Path("a.mp4"),), out, head=head)
    assert "tracked 9 of 10 frames" in capsys.readouterr().out


def test_options_of_a_preprocessing_arrive(monkeypatch, head, tmp_path):
    own = tmp_path / "own.npz"
    own.touch()
    arguments = ["--video", "a.mp4", "--video", "b.mp4", "--size", "256", "--fps", "12.5", "--focal", "900"]
    arguments += ["--crop", "1,2,300", "--face", "40,50", "--max-frames", "250", "--landmarks", "face-alignment"]
    arguments += ["--semantics", "bisenet", "--matting", "rvm", "--overwrite", "--out", str(tmp_path / "out")]
    assert asked_for(monkeypatch, *arguments, "--head", str(own)) == PreprocessOptions(
        subject="me",
        videos=(Path("a.mp4"), Path("b.mp4")),
        out=tmp_path / "out",
        size=256,
        fps=12.5,
        focal=900.0,
        fov=None,
        crop=(1, 2, 300),
        face=(40, 50),
        max_frames=250,
        landmarks="face-alignment",
        semantics="bisenet",
        matting="rvm",
        overwrite=True,
        head=own,
    )


@pytest.mark.parametrize(
    ("arguments", "crop", "face"),
    [(["--crop", "centre"], "centre", None), (["--face", "LARGEST"], None, None)],
)
def test_words_stand_for_a_square_and_a_face(monkeypatch, arguments, crop, face):
    options = asked_for(monkeypatch, "--video", "a.mp4", *arguments)
    assert (options.crop, options.face) == (crop, face)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--crop", "left"], "x,y,size"),
        (["--face", "1,2,3"], "LARGEST, or two whole numbers"),
        (["--face=-1,2"], "two"),
    ],
)
def test_what_is_no_square_and_no_face_is_refused(capsys, arguments, message):
    with pytest.raises(SystemExit):
        preprocess_main(["--subject", "me", "--video", "a.mp4", *arguments])
    assert message in capsys.readouterr().err


def test_the_help_says_in_which_pixels_a_focal_length_is(capsys):
    with pytest.raises(SystemExit):
        preprocess_main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--focal FOCAL focal length in pixels of the video; else estimated" in said


def test_a_head_that_is_not_there_is_named(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        preprocess_main(["--subject", "me", "--video", "a.mp4", "--head", "none.npz"])
    assert stop.value.code == 2 and "none.npz does not exist" in capsys.readouterr().err


def test_recordings_are_tracked_into_a_file_of_their_own(monkeypatch, head, tmp_path, capsys):
    asked = []

    def track_images(*arguments):
        asked.append(arguments)
        return TrackedImages(12, {"a": 5, "b": 6}, ERRORS, 640.0)

    monkeypatch.setattr(image_tracking, "track_images", track_images)
    track_images_main(["--subject", "me", "--sub_dirs", "a,b", "--data", str(tmp_path), "--json", "fit.json"])
    folder = tmp_path / "me" / "me"
    assert asked == [(folder, ["a", "b"], "fit.json", head)]
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [f"{folder / 'a' / 'fit.json'}: 5 frames", f"{folder / 'b' / 'fit.json'}: 6 frames"]
    assert "12 frames read" in printed[2] and "focal length 640 pixels" in printed[2]
