"""Fetching what the project does not ship, with a download that needs no network."""

import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from imavatar import assets
from imavatar.assets import catalogue, fetching
from imavatar.errors import AssetError, BusyError
from imavatar.files import atomic
from imavatar.files.locks import LOCK_FILE
from made_package import Index, made_index, sha256


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "assets"


@pytest.fixture
def index(folder, monkeypatch) -> Index:
    return made_index(monkeypatch, folder)


def test_files_are_taken_out_of_one_download_and_a_second_call_downloads_nothing(index, folder):
    assets.fetch(download=index)
    assert (folder / "model.bin").read_bytes() == b"a model"
    assert (folder / "things" / "deep" / "b.txt").read_bytes() == b"b"
    assert not list(folder.rglob("c.txt"))
    assert assets.asset_path("model") == folder / "model.bin"
    assert assets.asset_path("folder") == folder / "things"
    assets.fetch(download=index)
    assert index.downloads == 1


def test_a_damaged_file_is_fetched_again(index, folder):
    assets.fetch(download=index)
    (folder / "model.bin").write_bytes(b"damaged")
    assets.fetch(["model"], download=index)
    assert (folder / "model.bin").read_bytes() == b"a model"


@pytest.mark.parametrize("name", ["a.txt", "deep/b.txt"])
@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b""), Path.unlink], ids=["cut", "removed"])
def test_a_folders_damaged_file_is_fetched_again_and_the_others_stay(index, folder, name, harm):
    assets.fetch(download=index)
    stays = folder / "things" / ("deep/b.txt" if name == "a.txt" else "a.txt")
    os.utime(stays, (1, 1))
    harm(folder / "things" / name)
    assets.fetch(download=index)
    assert index.downloads == 2 and assets.asset_path("folder")
    assert (folder / "things" / "a.txt").read_bytes() == b"a"
    assert (folder / "things" / "deep" / "b.txt").read_bytes() == b"b"
    assert stays.stat().st_mtime == 1


def test_a_folder_of_version_010_is_accepted_where_it_is_whole(index, folder):
    assets.fetch(download=index)
    (folder / "things" / ".files.json").unlink()
    (folder / "things" / ".complete").write_text(catalogue.ASSETS["folder"].package.sha256)
    assets.fetch(download=index)
    assert index.downloads == 1 and str(assets.check(["folder"])[0]) == "whole"
    (folder / "things" / "a.txt").write_bytes(b"A")
    assert str(assets.check(["folder"])[0]) == "damaged: things (in which of its files is not known)"
    assets.fetch(download=index)
    assert index.downloads == 2 and (folder / "things" / "a.txt").read_bytes() == b"a"


@pytest.mark.parametrize("listing", ["", "[]", '{"files": {"a.txt": "0"}}', '{"files": 1}', "[" * 100_000, "\udcff"])
def test_a_folders_listing_is_believed_where_its_digest_is_the_pinned_one(index, folder, listing):
    assets.fetch(download=index)
    (folder / "things" / ".files.json").write_bytes(listing.encode(errors="surrogateescape"))
    assert assets.asset_path("folder")
    (folder / "things" / "a.txt").write_bytes(b"A")
    with pytest.raises(AssetError, match="SHA-256"):
        assets.asset_path("folder")


def test_what_somebody_else_put_into_a_folder_is_no_damage(index, folder):
    assets.fetch(download=index)
    (folder / "things" / "notes.txt").write_text("mine")
    assert assets.asset_path("folder")
    assets.fetch(download=index)
    assert index.downloads == 1


def test_another_archive_than_expected_is_refused_and_nothing_taken(index, folder):
    index.content = index.content + b"!"
    with pytest.raises(AssetError, match=r"made\.whl has the SHA-256 .*expected"):
        assets.fetch(download=index)
    assert [path.name for path in folder.iterdir()] == [LOCK_FILE]


def test_another_file_than_expected_is_refused(index, monkeypatch):
    sums = catalogue.ASSETS["model"].sums
    monkeypatch.setitem(sums, "model.bin", sha256(b"another"))
    with pytest.raises(AssetError, match=r"model\.bin .*SHA-256"):
        assets.fetch(["model"], download=index)


def test_other_files_of_a_folder_than_expected_are_refused_before_one_is_written(index, monkeypatch, folder):
    monkeypatch.setitem(catalogue.ASSETS["folder"].folders, "made/other", "things/other")
    with pytest.raises(AssetError, match=r"things .*3 files with the SHA-256"):
        assets.fetch(["folder"], download=index)
    assert not (folder / "things").exists()


def test_a_file_that_is_replaced_is_not_used(index, folder):
    assets.fetch(download=index)
    assert assets.asset_bytes("model") == b"a model"
    (folder / "model.bin").write_bytes(b"evil")
    for use in (assets.asset_path, assets.asset_bytes):
        with pytest.raises(AssetError) as refused:
            use("model")
        message = str(refused.value)
        assert f"{folder / 'model.bin'}" in message and "fetch_assets.py --only model" in message
        assert sha256(b"evil") in message and f"expected {sha256(b'a model')}" in message and "\n" not in message
    assets.fetch(["model"], download=index)
    assert assets.asset_bytes("model") == b"a model"


def test_a_file_of_the_same_size_and_another_time_is_read_again(index, folder):
    assets.fetch(download=index)
    assert assets.asset_path("model")
    (folder / "model.bin").write_bytes(b"A MODEL")
    os.utime(folder / "model.bin", (1, 1))
    with pytest.raises(AssetError, match="damaged or replaced"):
        assets.asset_path("model")


def test_a_folders_file_that_is_replaced_is_named(index, folder):
    assets.fetch(download=index)
    (folder / "things" / "deep" / "b.txt").write_bytes(b"evil")
    with pytest.raises(AssetError, match=rf"things/deep/b\.txt .*{sha256(b'evil')}, expected {sha256(b'b')}"):
        assets.asset_path("folder")
    (folder / "things" / "deep" / "b.txt").unlink()
    with pytest.raises(AssetError, match=r"things/deep/b\.txt is missing .*--only folder"):
        assets.asset_path("folder")


def test_assets_may_be_looked_for_in_another_folder(index, folder, tmp_path):
    assets.fetch(download=index)
    folder.rename(tmp_path / "elsewhere")
    assert assets.asset_path("model", tmp_path / "elsewhere") == tmp_path / "elsewhere" / "model.bin"
    with pytest.raises(AssetError, match="is missing"):
        assets.asset_path("model")


def test_a_folder_that_cannot_be_written_is_named(index, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "file" / "assets"))
    with pytest.raises(AssetError, match="cannot be written"):
        assets.fetch(download=index)


def test_a_full_disk_is_named_and_leaves_nothing_behind(index, monkeypatch, folder):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AssetError, match="No space left on device"):
        assets.fetch(download=index)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [LOCK_FILE]


def test_a_complete_folder_is_enough_without_permission_to_write(index, monkeypatch):
    assets.fetch(download=index)

    def forbidden(*_):
        raise AssertionError("nothing is missing")

    monkeypatch.setattr(fetching, "_check_writable", forbidden)
    monkeypatch.setattr(fetching, "locked", forbidden)
    assets.fetch(download=index)


def test_an_asset_that_is_not_there_says_how_to_get_it(index):
    with pytest.raises(AssetError, match=r"fetch_assets\.py --only model"):
        assets.asset_path("model")
    with pytest.raises(AssetError, match="unknown asset 'modell'; known: model, folder"):
        assets.asset_path("modell")


HOLD = """
import sys, time
from pathlib import Path
from imavatar.files.locks import locked
with locked(Path(sys.argv[1]), "fetch_assets"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(folder):
    """Another process that fetches."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder / LOCK_FILE)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_fetch_is_told_of_the_first(index, folder, holder):
    (folder / ".download-theirs").mkdir()
    with pytest.raises(BusyError) as refused:
        assets.fetch(download=index)
    message = str(refused.value)
    assert str(folder) in message and "fetch_assets" in message and "\n" not in message
    assert f"process {holder.pid} on {socket.gethostname()}" in message
    assert index.downloads == 0 and (folder / ".download-theirs").exists()
    holder.kill()
    holder.wait()
    assets.fetch(download=index)
    assert assets.asset_path("model") and not list(folder.glob(".download-*"))


def test_a_fetch_of_what_is_there_waits_for_nobody(index, folder, request):
    assets.fetch(download=index)
    request.getfixturevalue("holder")
    (folder / ".download-theirs").mkdir()
    assets.fetch(download=index)
    assert (folder / ".download-theirs").exists() and index.downloads == 1


KILLED = """
import os, signal, sys
from pathlib import Path
import pytest
from imavatar import assets
from imavatar.files import atomic
from made_package import made_index

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

with pytest.MonkeyPatch.context() as patch:
    index = made_index(patch, Path(sys.argv[1]))
    patch.setattr(os, "replace", killed)
    assets.fetch(download=index)
"""


def test_what_a_killed_fetch_left_is_removed_by_the_next(index, folder):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=environment).returncode < 0
    left = [path.name for path in folder.iterdir()]
    assert any(name.startswith(".download-") for name in left) and any("model.bin" in name for name in left)
    assets.fetch(download=index)
    assert sorted(path.name for path in folder.iterdir()) == [LOCK_FILE, "model.bin", "things"]


def test_a_folder_that_a_fetch_was_interrupted_in_lacks_files(index, folder, monkeypatch):
    write, written = atomic.write_bytes, []

    def interrupted(path, content):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, content)

    monkeypatch.setattr(atomic, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assets.fetch(["folder"], download=index)
    assert written == [".files.json", "a.txt"] and not list(folder.glob(".download-*"))
    assert str(assets.check(["folder"])[0]) == "incomplete: without things/deep/b.txt"
    monkeypatch.setattr(atomic, "write_bytes", write)
    assets.fetch(["folder"], download=index)
    assert str(assets.check(["folder"])[0]) == "whole"


def test_leftovers_are_removed_where_nothing_is_to_be_fetched_and_other_commands_files_stay(index, folder):
    assets.fetch(download=index)
    (folder / ".download-old").mkdir()
    (folder / ".download-old" / "made.whl").write_bytes(b"cut")
    temporary = [atomic.temporary_beside(folder / "model.bin"), atomic.temporary_beside(folder / "things" / "a.txt")]
    temporary += [folder / "model.bin.tmp", folder / "things" / "deep" / "b.txt.tmp"]
    theirs = [atomic.temporary_beside(folder / "open_head.npz"), folder / "open_head.npz.tmp"]
    for path in (*temporary, *theirs):
        path.write_bytes(b"cut")
    assets.fetch(["model"], download=index)
    assert not (folder / ".download-old").exists() and not any(path.exists() for path in temporary)
    assert all(path.exists() for path in theirs) and index.downloads == 1


def test_every_asset_is_pinned():
    for asset in assets.ASSETS.values():
        assert re.fullmatch("[0-9a-f]{64}", asset.package.sha256)
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in asset.sums.values())
        assert bool(asset.folders) == bool(re.fullmatch("[0-9a-f]{64}", asset.digest))
        assert sorted(asset.sums) == sorted(asset.members.values())
        assert asset.target and asset.purpose and asset.package.licence
