"""The page's file: whole, escaped, and with what it links to beside it."""

import base64
import re

import pytest

from imavatar.cli import export_web, export_web_main
from imavatar.errors import DataError
from imavatar.export.web_page import write_page
from imavatar.head.assets import save_head
from oracles_ellipsoid_head import ellipsoid_head
from tiny_runs import write_config


@pytest.fixture
def parts(tmp_path):
    """An avatar's file and a module, by their beginnings."""
    (tmp_path / "some.glb").write_bytes(b"glTF" + bytes(range(256)))
    (tmp_path / "three.js").write_text("export const THREE = '</script>';")
    return tmp_path / "some.glb", tmp_path / "three.js"


def test_the_page_holds_all_it_needs(parts, tmp_path):
    avatar, three = parts
    text = write_page(tmp_path / "new" / "page", avatar, three, "a <b> & {{three}}").read_text()
    assert "<title>a &lt;b&gt; &amp; {{three}}</title>" in text and "<b>" not in text
    assert (tmp_path / "new" / "page" / "avatar.glb").read_bytes() == avatar.read_bytes()
    held = re.search(r'<script id="avatar" type="text/plain">([^<]*)</script>', text)[1]
    assert base64.b64decode(held) == avatar.read_bytes()
    module = re.search(r"data:text/javascript;base64,([^\"]*)\"", text)[1]
    assert base64.b64decode(module) == three.read_bytes()
    assert 'href="avatar.glb"' in text and "src=" not in text and "http" not in text
    assert text.count("</script>") == 3 and not re.search(r"\{\{(?!three)", text)


def test_the_avatar_may_be_in_the_folder_already(parts, tmp_path):
    avatar, three = parts
    inside = avatar.rename(tmp_path / "avatar.glb")
    write_page(tmp_path, inside, three, "x")
    assert inside.read_bytes()[:4] == b"glTF"


def test_another_file_is_refused(parts, tmp_path):
    _, three = parts
    with pytest.raises(DataError, match=r"three\.js: begins with b'expo', expected a binary glTF file"):
        write_page(tmp_path / "out", three, three, "x")
    with pytest.raises(DataError, match=r"none\.glb: cannot be read"):
        write_page(tmp_path / "out", tmp_path / "none.glb", three, "x")
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_is_to_be_fetched(parts, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    with pytest.raises(SystemExit):
        export_web_main(["--avatar", str(parts[0]), "--out", str(tmp_path / "out")])
    assert "fetch_assets.py --only three" in capsys.readouterr().err


def test_recordings_that_are_tracked_for_a_page_stay_out_of_its_folder(parts, tmp_path, monkeypatch):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    save_head(tmp_path / "head.npz", ellipsoid_head())
    asked = []

    def export(args, tracked):
        asked.append((args, tracked))
        args.out.parent.mkdir()
        args.out.write_bytes(parts[0].read_bytes())

    monkeypatch.setattr(export_web, "export_avatar", export)
    export_web_main(["--conf", write_config(tmp_path), "--out", str(tmp_path / "page"), "--motion", "me.mp4"])
    ((args, tracked),) = asked
    assert args.motion == ["me.mp4"] and args.quantise and not args.arkit and not args.named
    assert args.out == tmp_path / "page" / "avatar.glb" and tracked == tmp_path / "tracked"
    assert "<title>sphere</title>" in (tmp_path / "page" / "index.html").read_text()
