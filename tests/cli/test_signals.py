"""Signals end a command as Ctrl-C does: cleaned up, with one word and the shell's exit code."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imavatar.cli.common import run_command
from imavatar.cli.signals import Stopped, signals_raise

LIGHT = Path(__file__).with_name("light_command.py")
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


@pytest.fixture
def begin(tmp_path):
    """Starts the light command, and returns it when it is ready."""
    begun = []

    def start(*arguments: str, **options) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, LIGHT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        begun.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", WORDS)
@pytest.mark.parametrize("how", ["work", "nested"])
def test_a_signal_ends_a_command_that_cleans_up(number, how, begin, tmp_path):
    process = begin(how, str(tmp_path))
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (128 + number, f"{WORDS[number]}\n")
    # The lock's file stays, empty; the unfinished file has gone.
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "cleaned"]
    assert (tmp_path / ".lock").read_text() == ""


def test_further_signals_do_not_disturb_the_cleaning(begin, tmp_path):
    process = begin("work", str(tmp_path), "1")
    process.send_signal(signal.SIGTERM)
    for _ in range(10):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (143, "terminated\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "cleaned"]


def test_a_signal_that_got_lost_does_not_make_a_command_deaf(begin, tmp_path):
    process = begin("swallow", str(tmp_path))
    process.send_signal(signal.SIGTERM)
    assert [process.stdout.readline() for _ in range(2)] == ["lost\n", "ready\n"]
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (143, "terminated\n")


def test_a_signal_that_is_ignored_stays_so(begin, tmp_path):
    process = begin("work", str(tmp_path), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143


def test_handlers_are_those_of_before_again(capsys):
    before = [signal.getsignal(number) for number in WORDS]

    def check():
        assert all(signal.getsignal(number) is not handler for number, handler in zip(WORDS, before, strict=True))
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as stop:
        run_command(check)
    assert stop.value.code == 143 and capsys.readouterr().err == "terminated\n"
    assert [signal.getsignal(number) for number in WORDS] == before


def test_a_thread_leaves_signals_to_the_main_thread():
    found = []

    def run():
        with signals_raise():
            found.append([signal.getsignal(number) for number in WORDS])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [[signal.getsignal(number) for number in WORDS]]


def test_a_forked_process_dies_of_a_signal_as_others_do():
    with signals_raise():
        child = os.fork()
        if child == 0:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except Stopped:
                os._exit(1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
