"""Commands that write into a folder of their own are alone there, or say who else is."""

import os
import re

import pytest

import imavatar.cli
from commands import main_of
from imavatar.files.locks import locked


def message_of(name: str, arguments: list[str], capsys) -> str:
    with pytest.raises(SystemExit) as stop:
        main_of(name)(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


@pytest.mark.parametrize(("name", "arguments"), [("make_synthetic", ["--subjects", "1"]), ("reproduce", ["--small"])])
def test_a_folder_of_several_results_is_one_commands(name, arguments, tmp_path, capsys):
    left = tmp_path / ".DATA_CARD.md.77-0a1b2c3d.tmp.md"
    left.touch()
    with locked(tmp_path / ".lock", "a test"):
        error = message_of(name, [*arguments, "--out", str(tmp_path)], capsys)
    assert re.search(rf"{tmp_path}: a test \(process {os.getpid()} on ", error)
    # What the other one is writing stays.
    assert sorted(path.name for path in tmp_path.iterdir()) == [left.name, ".lock"]


def test_a_head_is_built_by_one_process_while_nothing_is_fetched(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    with locked(tmp_path / ".lock", "fetch_assets"):
        assert "fetch_assets (process" in message_of("build_head", [], capsys)
        (tmp_path / "open_head.npz").touch()
        assert "fetch_assets (process" in message_of("build_head", [], capsys)
        # Nothing is left to be built, and no lock needed.
        for name in ("open_head.face_landmarker.npz", "open_head.face_landmarker_bias.npz"):
            (tmp_path / name).touch()
        imavatar.cli.build_head_main([])
    assert "landmarks: " in capsys.readouterr().out
