"""Files that are replaced: whole or not at all, on the disk when they are there, nothing left behind."""

import errno
import os

import pytest

from imavatar.files import atomic
from imavatar.files.atomic import is_temporary, remove_temporaries, replacing, temporary_beside, write_bytes, write_text


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "metrics.json"
    write_text(path, "{ä}")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two" and names(tmp_path) == ["metrics.json"]


def test_what_was_there_stays_where_writing_fails(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as temporary:
        assert temporary.suffix == ".npz" and temporary.parent == tmp_path
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and names(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_nothing(tmp_path, monkeypatch, failing):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.json"
    path.write_text("old")
    monkeypatch.setattr(atomic.os, failing, full)
    with pytest.raises(OSError) as refused:
        write_text(path, "new")
    assert refused.value.errno == errno.ENOSPC
    assert failing == "replace" or "a.json" in str(refused.value)
    assert path.read_text() == "old" and names(tmp_path) == ["a.json"]


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    calls = []
    real_replace, real_fsync = os.replace, os.fsync
    monkeypatch.setattr(atomic.os, "replace", lambda *args: (calls.append("replace"), real_replace(*args)))
    monkeypatch.setattr(atomic.os, "fsync", lambda *args: (calls.append("fsync"), real_fsync(*args)))
    write_text(tmp_path / "a.json", "new")
    assert calls == ["fsync", "replace", "fsync"]


def test_temporary_names_are_told_from_others_and_removed(tmp_path):
    kept = [tmp_path / name for name in ("latest.pth", "12.pth", "notes.tmp", ".lock", ".hidden.json", "my.tmp.json")]
    folder = tmp_path / "ModelParameters"
    folder.mkdir()
    left = [temporary_beside(tmp_path / "latest.pth"), temporary_beside(tmp_path / "report.html")]
    left += [folder / "latest.tmp", folder / "12.tmp", temporary_beside(folder / "page")]
    for path in (*kept, *left):
        path.write_text("")
    assert all(is_temporary(path) for path in left)
    remove_temporaries(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    remove_temporaries(tmp_path / "nowhere")
