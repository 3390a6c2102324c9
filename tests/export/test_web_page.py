"""The page's file: whole, escaped, and with what it links to beside it."""

import base64
import dataclasses
import errno
import hashlib
import html
import json
import os
import re
from pathlib import Path

import pytest

from imavatar.assets import catalogue
from imavatar.cli import export_web_main
from imavatar.errors import DataError
from imavatar.export.web_page import AVATAR, PAGE, write_page
from tiny_glb import tiny_glb
from tiny_runs import untrained

THREE = b"export const THREE = '</script>';"


@pytest.fixture
def avatar(tmp_path):
    (tmp_path / "some.glb").write_bytes(tiny_glb())
    return tmp_path / "some.glb"


@pytest.fixture
def three(tmp_path, monkeypatch):
    """A module in place of three.js, as it was fetched."""
    asset = dataclasses.replace(catalogue.ASSETS["three"], sums={"three.js": hashlib.sha256(THREE).hexdigest()})
    monkeypatch.setitem(catalogue.ASSETS, "three", asset)
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    (tmp_path / "three.js").write_bytes(THREE)
    return tmp_path / "three.js"


def failed(capsys, *arguments: str) -> str:
    """The one line that the command ends with."""
    with pytest.raises(SystemExit) as end:
        export_web_main(list(arguments))
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1
    return said


def test_the_page_holds_all_it_needs(avatar, tmp_path):
    text = write_page(tmp_path / "new" / "page", avatar, THREE, "a <b> & {{three}}").read_text()
    assert "<title>a &lt;b&gt; &amp; {{three}}</title>" in text and "<b>" not in text
    assert (tmp_path / "new" / "page" / "avatar.glb").read_bytes() == avatar.read_bytes()
    held = re.search(r'<script id="avatar" type="text/plain">([^<]*)</script>', text)[1]
    assert base64.b64decode(held) == avatar.read_bytes()
    module = re.search(r"data:text/javascript;base64,([^\"]*)\"", text)[1]
    assert base64.b64decode(module) == THREE
    assert 'href="avatar.glb"' in text and "src=" not in text and "http" not in text
    assert text.count("</script>") == 3 and not re.search(r"\{\{(?!three)", text)


def test_the_pages_script_is_told_which_sliders_turn_joints(avatar, tmp_path):
    text = write_page(tmp_path, avatar, THREE, "x").read_text()
    controls = json.loads(html.unescape(re.search(r'data-controls="([^"]*)"', text)[1]))
    found = {slider["label"]: (slider["turns"], slider["low"], slider["high"]) for slider in controls["joints"]}
    assert found["jaw open"] == ([["jaw", 0, 1]], 0, 0.5)
    assert found["eyes down / up"] == ([["left_eye", 0, -1], ["right_eye", 0, -1]], -0.35, 0.35)
    assert len(found) == 7 and (controls["coefficients"], controls["largest"]) == (10, 3)


def test_the_avatar_may_be_in_the_folder_already(avatar, tmp_path):
    inside = avatar.rename(tmp_path / "avatar.glb")
    write_page(tmp_path, inside, THREE, "x")
    assert inside.read_bytes() == tiny_glb()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["avatar.glb", "index.html"]


def test_another_file_is_refused(three, tmp_path):
    (tmp_path / "cut.glb").write_bytes(tiny_glb()[:-4])
    with pytest.raises(DataError, match=r"three\.js: begins with b'expo', .*expected a binary glTF file"):
        write_page(tmp_path / "out", three, THREE, "x")
    with pytest.raises(DataError, match=r"cut\.glb: has \d+ bytes, and \d+ by its header"):
        write_page(tmp_path / "out", tmp_path / "cut.glb", THREE, "x")
    with pytest.raises(DataError, match=r"none\.glb: cannot be read"):
        write_page(tmp_path / "out", tmp_path / "none.glb", THREE, "x")
    assert not (tmp_path / "out").exists()


def test_another_three_is_not_put_into_a_page(avatar, three, tmp_path, capsys):
    three.write_text('alert("evil")')
    said = failed(capsys, "--avatar", str(avatar), "--out", str(tmp_path / "out"))
    assert str(three) in said and "fetch_assets.py --only three" in said
    assert hashlib.sha256(b'alert("evil")').hexdigest() in said and hashlib.sha256(THREE).hexdigest() in said
    assert not (tmp_path / "out").exists()
    three.write_bytes(THREE)
    export_web_main(["--avatar", str(avatar), "--out", str(tmp_path / "out")])
    assert "<title>some</title>" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize("full_at", [PAGE, AVATAR])
@pytest.mark.parametrize("before", [None, b"an older one"])
def test_a_full_disk_leaves_what_was_there(avatar, three, tmp_path, monkeypatch, capsys, full_at, before):
    out = tmp_path / "some" / "out"
    if before is not None:
        out.mkdir(parents=True)
        for name in (PAGE, AVATAR):
            (out / name).write_bytes(before)
    write = Path.write_bytes

    def full(path, content):
        if full_at in path.name:
            write(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    said = failed(capsys, "--avatar", str(avatar), "--out", str(out))
    assert f"{out}: cannot be written (No space left on device)" in said
    if before is None:
        assert not (tmp_path / "some").exists()
    else:
        assert {path.name: path.read_bytes() for path in out.iterdir()} == {PAGE: before, AVATAR: before}


@pytest.mark.parametrize("file", ["some.glb", "\udcff.glb"])
def test_a_title_that_is_no_text_is_refused(avatar, three, tmp_path, capsys, file):
    try:
        renamed = avatar.rename(tmp_path / file)
    except OSError:
        pytest.skip("files have no such names here")
    title = ["--title", "\udcff"] if file == "some.glb" else []
    said = failed(capsys, "--avatar", str(renamed), "--out", str(tmp_path / "out"), *title)
    assert "the title '\\udcff' is no UTF-8 at character 1" in said and not (tmp_path / "out").exists()


def test_the_command_says_what_is_to_be_fetched(avatar, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    said = failed(capsys, "--avatar", str(avatar), "--out", str(tmp_path / "out"))
    assert "fetch_assets.py --only three" in said


def test_recordings_that_are_tracked_for_a_page_stay_out_of_its_folder(avatar, three, tmp_path, monkeypatch):
    asked = []

    def export(trained, out, options):
        asked.append((trained, out, options))
        out.parent.mkdir()
        out.write_bytes(avatar.read_bytes())

    monkeypatch.setattr("imavatar.workflows.exporting.export_avatar", export)
    monkeypatch.setattr("imavatar.workflows.trained.load_trained", lambda *_: untrained(tmp_path))
    export_web_main(["--conf", "some.conf", "--out", str(tmp_path / "page"), "--motion", "me.mp4"])
    ((_, out, options),) = asked
    assert options.motions == ("me.mp4",) and options.quantise and not options.arkit and not options.named
    assert out == tmp_path / "page" / "avatar.glb" and options.tracked == tmp_path / "tracked"
    assert "<title>sphere</title>" in (tmp_path / "page" / "index.html").read_text()
