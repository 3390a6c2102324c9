"""Locks: one process at a time, named to the other, gone with its process."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys

import pytest

from imavatar.errors import BusyError
from imavatar.files.locks import LOCK_FILE, locked

HOLD = """
import sys, time
from pathlib import Path
from imavatar.files.locks import locked
with locked(Path(sys.argv[1]), "a training"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / LOCK_FILE)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_process_is_told_of_the_first(tmp_path, holder):
    with pytest.raises(BusyError) as refused, locked(tmp_path / LOCK_FILE, "an evaluation"):
        pass
    message = str(refused.value)
    assert str(tmp_path) in message and "a training" in message and "\n" not in message
    assert f"process {holder.pid} on {socket.gethostname()}" in message


def test_a_killed_processs_lock_is_taken_over(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK_FILE).read_text() != ""
    with locked(tmp_path / LOCK_FILE, "an evaluation"):
        assert str(os.getpid()) in (tmp_path / LOCK_FILE).read_text()
    assert (tmp_path / LOCK_FILE).read_text() == ""


def test_a_lock_is_released_at_the_end_of_its_block_also_by_an_error(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / LOCK_FILE, "a training"):
        raise KeyError
    with locked(tmp_path / LOCK_FILE, "a training"), locked(tmp_path / "other.lock", "a training"):
        pass


def test_a_lock_whose_record_cannot_be_read_is_a_lock(tmp_path, holder, monkeypatch):
    monkeypatch.setattr("imavatar.files.locks.RECORD_SECONDS", 0.01)
    for record in ("", "{", "[]", '{"process": "x"}', "[" * 100_000):
        (tmp_path / LOCK_FILE).write_text(record)
        with pytest.raises(BusyError, match="another process"), locked(tmp_path / LOCK_FILE, "a training"):
            pass


def _try(file, results):
    try:
        with locked(file, "a training"):
            results.put("held")
            signal.pause()
    except BusyError:
        results.put("refused")


def test_of_processes_that_start_together_one_holds_the_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_try, args=(tmp_path / LOCK_FILE, results)) for _ in range(4)]
    for process in processes:
        process.start()
    found = sorted(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.kill()
        process.join()
    assert found == ["held", "refused", "refused", "refused"]
