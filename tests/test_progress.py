"""Progress in a log: whole lines, few of them, the first and the last included."""

import pytest

from imavatar.progress import progress_bar, track


def test_a_loop_in_a_log_has_a_first_and_a_last_line(capsys):
    items = list(range(1000))
    assert list(track(items, "frames rendered")) == items
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("frames rendered: 0/1000")
    assert lines[1].startswith("frames rendered: 1000/1000")


def test_items_without_a_length_are_counted(capsys):
    assert list(track(iter("abc"), "frames")) == ["a", "b", "c"]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("frames: 3 [")


def test_an_interrupted_loop_says_how_far_it_came(capsys):
    with pytest.raises(RuntimeError):
        for item in track([1, 2, 3], "steps"):
            if item == 3:
                raise RuntimeError
    assert "steps: 2/3" in capsys.readouterr().err


def test_a_bar_is_moved_by_hand(capsys):
    with progress_bar("steps", 10) as bar:
        bar.update(7)
    assert capsys.readouterr().err.splitlines()[-1].startswith("steps: 7/10")


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(track([1, 2], "steps")) == [1, 2]
    assert "100%" in capsys.readouterr().err
