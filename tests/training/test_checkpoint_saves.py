"""A save is one act: killed or failing at any of its operations, the folder holds the old checkpoint or the new one."""

import errno
import hashlib
import json
import os
import threading
from pathlib import Path

import pytest
import torch

from imavatar.errors import CheckpointError
from imavatar.files.atomic import is_temporary
from imavatar.training import checkpoint_files
from imavatar.training.checkpoint_files import (
    FOLDERS,
    INDEX,
    LATEST,
    checkpoint_file,
    finish_save,
    read_index,
    save_checkpoint,
)
from imavatar.training.checkpoints import read_checkpoint, saved_epoch
from tiny_runs import load_part


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """What matters here is the order of operations: nothing waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def parts(epoch: int) -> dict:
    """The five parts; every tensor says its epoch."""
    return {part: {"epoch": epoch, "value": torch.full((64,), float(epoch))} for part in FOLDERS}


def assert_whole(folder: Path, name: str, epoch: int) -> None:
    found = read_checkpoint(folder, name, list(FOLDERS))
    for part in FOLDERS:
        assert found[part].epoch == epoch and found[part].content["value"].eq(epoch).all()


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix == ".new" or is_temporary(path)]


class Killed(BaseException):
    """Stands in for SIGKILL: from here on the process does nothing."""


class Operations:
    """What reaches the disk, counted; from operation `last` on every one raises, as after a kill."""

    def __init__(self, monkeypatch, last: float = float("inf"), error: BaseException | None = None, once=False):
        self.n, self.last, self.once = 0, last, once
        self.error = Killed() if error is None else error
        for owner, name in ((os, "fsync"), (os, "replace"), (os, "unlink"), (Path, "unlink"), (Path, "open")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, real):
        def operation(*args, **kwargs):
            self.n += 1
            if self.n == self.last or (self.n > self.last and not self.once):
                raise self.error
            return real(*args, **kwargs)

        return operation


def n_operations(folder, monkeypatch, **save) -> int:
    with monkeypatch.context() as patch:
        counted = Operations(patch)
        save_checkpoint(folder, **save)
        return counted.n


def test_a_kill_at_any_operation_leaves_the_old_checkpoint_or_the_new_one(tmp_path, monkeypatch):
    save = {"names": [LATEST, "2"], "parts": parts(2), "keep": "1"}
    first = tmp_path / "first"
    save_checkpoint(first, [LATEST], parts(1))
    n = n_operations(first, monkeypatch, **save)
    assert n > 40
    outcomes = set()
    for last in range(1, n + 1):
        folder = tmp_path / str(last)
        save_checkpoint(folder, [LATEST], parts(1))
        with monkeypatch.context() as patch:
            Operations(patch, last)
            with pytest.raises(Killed):
                save_checkpoint(folder, **save)
        epoch = saved_epoch(folder)
        outcomes.add(epoch)
        for _ in range(2):  # as a reader finds it, and after the next start has put it in order
            assert_whole(folder, LATEST, epoch)
            if epoch == 2:
                assert_whole(folder, "2", 2)
                assert_whole(folder, "1", 1)
            else:
                assert saved_epoch(folder, "2") is None and saved_epoch(folder, "1") is None
            finish_save(folder)
        assert not left_behind(folder)
        assert torch.load(checkpoint_file(folder, "model", LATEST))["epoch"] == epoch  # also for who knows no index
        save_checkpoint(folder, **{**save, "keep": None})
        assert_whole(folder, LATEST, 2)
    assert outcomes == {1, 2}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_at_any_operation_is_one_message_and_leaves_nothing(tmp_path, monkeypatch, number):
    save = {"names": [LATEST, "2"], "parts": parts(2)}
    first = tmp_path / "first"
    save_checkpoint(first, [LATEST], parts(1))
    n = n_operations(first, monkeypatch, **save)
    for last in range(1, n + 1):
        folder = tmp_path / str(last)
        save_checkpoint(folder, [LATEST], parts(1))
        with monkeypatch.context() as patch:
            Operations(patch, last, OSError(number, os.strerror(number)), once=True)
            try:
                save_checkpoint(folder, **save)
            except CheckpointError as error:
                message = str(error)
                assert os.strerror(number) in message and str(folder) in message and "\n" not in message
        epoch = saved_epoch(folder)
        assert epoch in (1, 2)
        assert_whole(folder, LATEST, epoch)
        finish_save(folder)
        assert not left_behind(folder)
        assert_whole(folder, LATEST, epoch)


def test_a_full_disk_says_what_is_needed_and_what_is_still_there(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, [LATEST], parts(1))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    real = os.fsync

    def full(descriptor):
        if "OptimizerInputs" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(checkpoint_files.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left.*it needs \d.* MB.*still that of epoch 1.*--is_continue"):
        save_checkpoint(tmp_path, [LATEST, "2"], parts(2))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_files_are_where_the_authors_look_for_them_and_only_an_index_beside(tmp_path):
    save_checkpoint(tmp_path, [LATEST, "3"], parts(3))
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {INDEX, *(f"{folder}/{name}.pth" for folder in FOLDERS.values() for name in (LATEST, "3"))}
    digest = hashlib.sha256(checkpoint_file(tmp_path, "model", "3").read_bytes()).hexdigest()
    assert read_index(tmp_path)["3"].digests["model"] == digest


def test_what_was_latest_can_be_kept_under_its_epoch(tmp_path):
    save_checkpoint(tmp_path, [LATEST], parts(1))
    save_checkpoint(tmp_path, [LATEST], parts(2), keep="1")
    assert_whole(tmp_path, LATEST, 2)
    assert_whole(tmp_path, "1", 1)


def test_what_another_program_saved_can_be_kept_too(tmp_path):
    save_checkpoint(tmp_path, [LATEST], parts(1))
    (tmp_path / INDEX).unlink()
    save_checkpoint(tmp_path, [LATEST], parts(2), keep="1")
    assert_whole(tmp_path, "1", 1)


def test_a_checkpoint_without_an_index_is_read_as_it_lies(tmp_path, caplog):
    save_checkpoint(tmp_path, [LATEST], parts(1))
    (tmp_path / INDEX).unlink()
    assert_whole(tmp_path, LATEST, 1)
    assert not caplog.records


def test_a_checkpoint_that_was_deleted_is_forgotten(tmp_path):
    save_checkpoint(tmp_path, [LATEST, "1"], parts(1))
    for part in FOLDERS:
        checkpoint_file(tmp_path, part, "1").unlink()
    save_checkpoint(tmp_path, [LATEST], parts(2))
    assert set(read_index(tmp_path)) == {LATEST}


def test_parts_of_different_epochs_are_refused_with_the_way_back(tmp_path):
    save_checkpoint(tmp_path, [LATEST, "1"], parts(1))
    save_checkpoint(tmp_path, [LATEST, "3"], parts(3))
    for part in ("optimizer", "inputs", "scheduler"):
        path = checkpoint_file(tmp_path, part, LATEST)
        good = path.read_bytes()
        path.write_bytes(checkpoint_file(tmp_path, part, "1").read_bytes())
        with pytest.raises(
            CheckpointError, match=rf"several epochs.*ModelParameters 3.*{FOLDERS[part]} 1.*--checkpoint 3"
        ):
            read_checkpoint(tmp_path, LATEST, list(FOLDERS))
        path.write_bytes(good)
    for part in FOLDERS:
        checkpoint_file(tmp_path, part, "1").unlink()
        if part != "model":
            checkpoint_file(tmp_path, part, "3").unlink()
    checkpoint_file(tmp_path, "inputs", LATEST).write_bytes(b"")
    torch.save({"epoch": 2}, checkpoint_file(tmp_path, "inputs", LATEST))
    with pytest.raises(CheckpointError, match="there is no other one"):
        read_checkpoint(tmp_path, LATEST, list(FOLDERS))


def test_a_file_that_another_program_has_saved_since_is_read_with_a_warning(tmp_path, caplog):
    save_checkpoint(tmp_path, [LATEST], parts(1))
    torch.save({"epoch": 1, "value": torch.zeros(3)}, checkpoint_file(tmp_path, "inputs", LATEST))
    assert load_part(tmp_path, "inputs", LATEST)["value"].eq(0).all()
    assert "changed by another program" in caplog.text


@pytest.mark.parametrize("index", [True, False])
def test_flipped_bytes_are_noticed(tmp_path, index):
    save_checkpoint(tmp_path, [LATEST], {part: {"epoch": 1, "value": torch.rand(5000)} for part in FOLDERS})
    if not index:
        (tmp_path / INDEX).unlink()
    path = checkpoint_file(tmp_path, "model", LATEST)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"latest\.pth cannot be read.*check sum.*--checkpoint N"):
        load_part(tmp_path, "model", LATEST)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"checkpoints": 3}',
        '{"checkpoints": {"latest": {"epoch": "x", "sha256": {}}}}',
        "\xff",
        "[" * 10**5,
    ]
    + [json.dumps({"checkpoints": {"latest": {"epoch": 1, "sha256": {"model": "../../x"}}}})],
)
def test_a_damaged_index_is_named(tmp_path, text):
    save_checkpoint(tmp_path, [LATEST], parts(1))
    (tmp_path / INDEX).write_bytes(text.encode("latin1"))
    with pytest.raises(CheckpointError, match=rf"{INDEX} cannot be read.*delete it"):
        load_part(tmp_path, "model", LATEST)
    (tmp_path / INDEX).unlink()
    assert_whole(tmp_path, LATEST, 1)


def test_a_reader_beside_a_training_that_saves_never_sees_two_epochs(tmp_path):
    save_checkpoint(tmp_path, [LATEST], parts(0))
    failures = []

    def read() -> None:
        seen = 0
        while seen < 40 and not failures:
            try:
                found = read_checkpoint(tmp_path, LATEST, list(FOLDERS))
            except CheckpointError as error:
                failures.append(error)
                return
            epoch = found["model"].epoch
            if epoch < seen or any(not part.content["value"].eq(epoch).all() for part in found.values()):
                failures.append(epoch)
            seen = epoch

    reader = threading.Thread(target=read)
    reader.start()
    for epoch in range(1, 41):
        save_checkpoint(tmp_path, [LATEST], parts(epoch))
    reader.join()
    assert not failures


def test_what_version_0_1_0_left_when_it_was_killed_is_removed(tmp_path):
    save_checkpoint(tmp_path, [LATEST], parts(1))
    for name in ("latest.tmp", "12.tmp"):
        (tmp_path / FOLDERS["model"] / name).write_bytes(b"half")
    finish_save(tmp_path)
    assert not left_behind(tmp_path)
    assert_whole(tmp_path, LATEST, 1)
