"""Whatever ends a command early: one line, an exit code, and a file with the rest."""

import argparse
import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import imavatar.cli
from imavatar.cli.common import command, run_command
from imavatar.errors import BusyError
from imavatar.motion.sweep import sweep_motion

LIGHT = Path(__file__).with_name("light_command.py")


def endless() -> None:
    """Call itself until Python gives up."""
    endless()


def failing(kind):
    """Raise an exception of a kind, or what it makes."""

    def fail(*_, **__):
        raise kind

    return fail


UNFORESEEN = {
    "several lines": (failing(RuntimeError("no memory:\n  tried\x1b[2J\nto")), "RuntimeError: no memory: tried?[2J to"),
    "memory": (lambda: np.empty(2**48), "Unable to allocate 2.00 PiB"),
    "recursion": (endless, "RecursionError: maximum recursion depth exceeded"),
    "no message": (failing(AssertionError()), "AssertionError (raised at"),
    "long": (failing(ValueError("y" * 10_000)), "y ... (raised at"),
    "a key": (failing(KeyError("mean")), "KeyError: 'mean'"),
    "of the project": (lambda: sweep_motion(5, n_frames=0), "(raised at imavatar/motion/sweep.py:"),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where reports of errors go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["animate.py", "--motion", "my file.csv"])
    return tmp_path


def message_of(work, capsys) -> str:
    """The one line that a command says, with exit code 2."""
    return message_said(lambda: run_command(work), capsys)


def message_said(command_itself, capsys) -> str:
    """The same of what is a command."""
    with pytest.raises(SystemExit) as stop:
        command_itself()
    assert stop.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ") and text.count("\n") == 1 and text.endswith("\n")
    assert len(text) < 700
    return text


@pytest.mark.parametrize("name", UNFORESEEN)
def test_an_error_that_nobody_has_foreseen_is_one_line_and_a_file(name, place, capsys):
    work, expected = UNFORESEEN[name]
    text = message_of(work, capsys)
    assert expected in text
    (report,) = place.glob("imavatar-error-*.txt")
    assert text.endswith(f"the traceback is in {report})\n")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    content = report.read_text()
    assert "Traceback (most recent call last)" in content and "animate.py --motion 'my file.csv'" in content
    for package in ("imavatar", "Python", "torch", "numpy"):
        assert f"{package} " in content.split("\n\n")[0]


def test_a_full_disk_takes_the_file_and_not_the_line(place, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    text = message_of(failing(RuntimeError("x")), capsys)
    assert "RuntimeError: x" in text and "could not be written: No space left on device" in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_that_fills_up_leaves_no_empty_file(place, capsys, monkeypatch):
    made = tempfile.mkstemp

    def on_full_disk(**names):
        descriptor, name = made(**names)
        os.close(descriptor)
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(tempfile, "mkstemp", on_full_disk)
    assert "could not be written: No space left" in message_of(failing(RuntimeError("x")), capsys)
    assert not list(place.iterdir())


def test_arguments_are_read_under_it(place, capsys):
    @command
    def main(argv=None):
        parser = argparse.ArgumentParser()
        parser.add_argument("--odd", type=failing(ZeroDivisionError("by zero")))
        parser.parse_args(argv)

    assert "ZeroDivisionError: by zero" in message_said(lambda: main(["--odd", "1"]), capsys)
    # Also in another command.
    assert message_of(lambda: main(["--odd", "1"]), capsys).count("error:") == 1


def test_modules_are_loaded_under_it(place, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "imavatar.cli.animate", None)
    assert "import of imavatar.cli.animate halted" in message_said(lambda: imavatar.cli.animate_main, capsys)
    with pytest.raises(AttributeError, match="no attribute 'other_main'"):
        imavatar.cli.other_main()


@pytest.mark.parametrize("name", imavatar.cli.COMMANDS)
def test_every_command_is_under_it_from_its_arguments_on(name, place, capsys, monkeypatch):
    main = getattr(imavatar.cli, f"{name}_main")
    monkeypatch.setattr(argparse.ArgumentParser, "__init__", failing(MemoryError()))
    assert "MemoryError" in message_said(lambda: main([]), capsys)


def test_foreseen_errors_are_said_as_they_are(capsys):
    assert message_of(failing(BusyError("x: busy")), capsys) == "error: x: busy\n"
    assert message_of(failing(ConnectionResetError()), capsys) == "error: ConnectionResetError\n"
    missing = FileNotFoundError(errno.ENOENT, "No such file", "x")
    assert message_of(failing(missing), capsys) == "error: [Errno 2] No such file: 'x'\n"


@pytest.mark.parametrize("how", ["print", "log", "progress"])
def test_output_that_nobody_reads_ends_a_command_quietly(how):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {LIGHT} lines {how} | head -n 1 | wc -c; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["1001", "141"] and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("code", ["0", "1"])
def test_output_that_cannot_be_written_is_an_error(code):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, LIGHT, "once", code], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: [Errno 28] No space left on device\n"


def test_a_command_needs_no_output():
    command = f"{sys.executable} {LIGHT} once 3 >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], timeout=60).returncode == 3
