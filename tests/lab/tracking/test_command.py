"""The command's own refusals."""

import pytest

from imavatar_lab.cli import evaluate_tracking_main


def said(arguments, capsys) -> str:
    """What a call that ends with exit code 2 writes to stderr."""
    with pytest.raises(SystemExit) as exit_:
        evaluate_tracking_main(arguments)
    assert exit_.value.code == 2
    return capsys.readouterr().err


def test_something_has_to_be_tracked(tmp_path, capsys):
    assert "--subjects N" in said(["--out", str(tmp_path)], capsys)
    assert not list(tmp_path.iterdir())


def test_a_clip_has_to_be_there(tmp_path, capsys):
    pytest.importorskip("ai_edge_litert")
    message = said(["--video", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "out")], capsys)
    assert "none.mp4: no such video file" in message or "open_head" in message


def test_a_recording_is_too_short_to_be_tracked(tmp_path, capsys):
    assert "frames" in said(["--subjects", "1", "--frames", "3", "--out", str(tmp_path)], capsys)
