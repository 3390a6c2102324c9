"""Work in other processes: order, exceptions, and processes that end in the middle of their work."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from imavatar.errors import DataError, ImavatarError
from imavatar.synthetic import worker_pool
from imavatar.synthetic.worker_pool import WorkerTraceback, work_in_processes

PARENT = """
import os, sys, time
from imavatar.cli.common import guarded
from imavatar.synthetic.worker_pool import work_in_processes

def stay():
    print(os.getpid(), flush=True)
    while True:
        sum(range(1000)) if sys.argv[1] == "busy" else time.sleep(60)

def make(fallback):
    if sys.argv[1] == "starting":
        stay()
    return piece

def piece(number):
    if number is not None:
        stay()

if __name__ == "__main__":
    pieces = [None, None] if sys.argv[1] == "idle" else [1, 2]
    def run():
        for _ in work_in_processes(make, pieces, 2):
            print(os.getpid(), flush=True)
            if sys.argv[1] == "idle":
                time.sleep(60)
    guarded(run)
"""


class Work:
    """Squares numbers, in one of two ways; some numbers go wrong."""

    def __init__(self, fallback: bool):
        self.fallback = fallback

    def __call__(self, number: int) -> tuple[int, bool]:
        if number == 3 and not self.fallback:
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == 13:
            raise DataError("thirteen")
        if number == 666:
            os._exit(1)
        time.sleep(0.05 * (number % 2))
        return number**2, self.fallback


def test_results_come_in_order_and_a_piece_whose_process_ends_is_done_by_the_fallback():
    found = list(work_in_processes(Work, range(8), n_processes=2))
    assert found == [(k**2, k == 3) for k in range(8)]


class OddError(Exception):
    """Cannot be made again from what it was made of."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class Odd:
    """Work that raises what cannot be sent."""

    def __init__(self, fallback: bool):
        pass

    def __call__(self, number: int):
        raise OddError("one", "two")


def test_an_exception_that_cannot_be_sent_is_told_of_with_where_it_was_raised():
    with pytest.raises(RuntimeError, match="OddError: one two") as raised:
        list(work_in_processes(Odd, [1], n_processes=1))
    assert isinstance(raised.value.__cause__, WorkerTraceback)
    assert "in __call__" in str(raised.value.__cause__) and __file__ in str(raised.value.__cause__)


@pytest.fixture
def parent(tmp_path):
    """Starts a process with two workers that are in some state, and returns it when they are."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    begun = []

    def start(state: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, script, state],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        for _ in range(1 if state == "idle" else 2):
            assert int(process.stdout.readline()) > 0
        return process

    yield start
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("state", ["starting", "busy", "asleep", "idle"])
def test_workers_end_with_a_parent_that_is_killed(state, parent):
    process = parent(state)
    process.kill()
    # The workers have the same standard output: its end is theirs.
    process.communicate(timeout=2)


def test_a_terminals_ctrl_c_is_dealt_with_by_the_parent_alone(parent):
    process = parent("asleep")
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=10)
    assert (process.returncode, error) == (130, "interrupted\n")


def test_results_are_handed_over_before_all_are_there():
    results = work_in_processes(Work, [1, 2, 13], n_processes=1)
    assert next(results) == (1, False)
    assert next(results) == (4, False)
    with pytest.raises(DataError, match="thirteen"):
        next(results)


def test_a_process_that_ends_both_ways_is_an_error():
    with pytest.raises(ImavatarError, match="ended without an answer, twice"):
        list(work_in_processes(Work, [666], n_processes=1))


def send_half(pipe, _):
    """The beginning of a longer message, as a process leaves it that is killed while it sends."""
    os.write(pipe.fileno(), struct.pack("!i", 1000) + b"half")
    os._exit(1)


def ends_while_sending(fallback: bool):
    """Work whose answer comes whole by the fallback only."""
    if not fallback:
        worker_pool._send = send_half
    return abs


def test_a_piece_whose_process_ends_while_it_sends_is_done_by_the_fallback():
    assert list(work_in_processes(ends_while_sending, [-1, -2], n_processes=2)) == [1, 2]


def test_nothing_to_do_starts_nothing():
    assert list(work_in_processes(Work, [], n_processes=2)) == []


def identity(fallback: bool):
    """Work that hands back what it gets."""
    return abs


def test_arrays_that_look_at_a_tensor_keep_its_values():
    tensor = torch.arange(200_000, dtype=torch.float32)
    view = tensor.numpy()
    pieces = [tensor[k : k + 1000] for k in range(0, 200_000, 1000)]
    found = list(work_in_processes(identity, pieces, n_processes=1))
    assert not tensor.is_shared()
    del tensor, pieces
    np.testing.assert_array_equal(view, np.arange(200_000))
    torch.testing.assert_close(torch.cat(found), torch.arange(200_000, dtype=torch.float32))
