"""Commands beside each other: what is done is kept, what fails is reported and stops nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imavatar_lab.reproduce.tasks import Task, run_tasks

PARENT = """
import sys
from pathlib import Path
from imavatar.cli.common import guarded
from imavatar_lab.reproduce.tasks import Task, run_tasks

folder = Path(sys.argv[1])
tasks = [Task(name, ((str(folder / f"{sys.argv[2]}.py"), name),), lambda: False) for name in "abc"]
guarded(lambda: run_tasks(tasks, lambda name: folder / f"{name}.log", jobs=2, tell=lambda outcome: print(outcome)))
"""
COMMAND = """
import os, sys, time
from pathlib import Path
from imavatar.cli.common import guarded

def work():
    begun = Path(__file__).with_name(sys.argv[1])
    begun.write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        begun.with_suffix(".cleaned").touch()

guarded(work)
"""
DEAF = """
import os, signal, sys, time
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(__file__).with_name(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""


def script(tmp_path, name: str, text: str) -> str:
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    return str(path)


def test_outcomes_of_tasks(tmp_path):
    good = script(tmp_path, "good", "import os, sys; open(sys.argv[1], 'w').write(os.environ['OMP_NUM_THREADS'])")
    bad = script(tmp_path, "bad", "import sys; print('error: no space left', file=sys.stderr); sys.exit(2)")
    idle = script(tmp_path, "idle", "")
    files = [tmp_path / f"out_{k}" for k in range(2)]
    tasks = [
        Task("fails", ((bad,), (good, str(tmp_path / "never"))), lambda: False),
        Task("works", ((good, str(files[0])), (good, str(files[1]))), files[1].is_file),
        Task("idle", ((idle,),), lambda: False),
        Task("kept", ((bad,),), lambda: True),
    ]
    told = []
    outcomes = run_tasks(tasks, lambda name: tmp_path / "logs" / f"{name}.log", jobs=2, tell=told.append)
    assert [o.state for o in outcomes] == ["failed", "done", "failed", "kept"]
    assert {o.name for o in told} == {"fails", "works", "idle", "kept"}
    assert "exit code 2: error: no space left" in outcomes[0].message and "fails.log" in outcomes[0].message
    assert not (tmp_path / "never").exists()
    assert files[1].read_text() == "1"
    assert "left nothing behind" in outcomes[2].message
    assert (tmp_path / "logs" / "fails.log").read_text().startswith("$ python ")


def test_as_many_run_beside_each_other_as_asked_for(tmp_path):
    wait = script(
        tmp_path,
        "wait",
        "import pathlib, sys, time\n"
        "here, other = map(pathlib.Path, sys.argv[1:])\n"
        "here.touch()\n"
        "end = time.time() + 60\n"
        "while not other.exists() and time.time() < end: time.sleep(0.05)\n"
        "sys.exit(0 if other.exists() else 1)\n",
    )
    a, b = tmp_path / "a", tmp_path / "b"
    tasks = [Task("a", ((wait, str(a), str(b)),), a.exists), Task("b", ((wait, str(b), str(a)),), b.exists)]
    outcomes = run_tasks(tasks, lambda name: tmp_path / f"{name}.log", jobs=2, tell=lambda outcome: None)
    assert [o.state for o in outcomes] == ["done", "done"]
    assert threading.active_count() < 20


@pytest.fixture
def parent(tmp_path):
    """Starts a process that runs three commands, two at a time, and returns it when two have begun."""
    for name, text in (("parent", PARENT), ("command", COMMAND), ("deaf", DEAF)):
        script(tmp_path, name, text)
    begun = []

    def start(command: str, prelude: str = "") -> subprocess.Popen:
        script(tmp_path, "parent", prelude + PARENT)
        process = subprocess.Popen(
            [sys.executable, tmp_path / "parent.py", tmp_path, command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        until(lambda: all((tmp_path / name).is_file() and (tmp_path / name).read_text() for name in "ab"))
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def until(true, seconds: float = 20.0) -> None:
    """Wait for something, at most so long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def ended(process: int) -> bool:
    """Whether there is no such process any more, or only its entry, that nobody has asked for."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except FileNotFoundError:  # no /proc, or it has ended just now
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_commands_too_and_begins_no_others(number, parent, tmp_path):
    process = parent("command")
    process.send_signal(number)
    output, error = process.communicate(timeout=20)
    words = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted"}
    assert (process.returncode, output, error) == (128 + number, "", f"{words[number]}\n")
    for name in "ab":
        assert (tmp_path / f"{name}.cleaned").exists() and ended(int((tmp_path / name).read_text()))
        assert (tmp_path / f"{name}.log").read_text().endswith("terminated\n")
    assert not (tmp_path / "c").exists()


def test_commands_end_and_clean_up_where_their_parent_is_killed(parent, tmp_path):
    process = parent("command")
    process.kill()
    process.wait()
    until(lambda: all((tmp_path / f"{name}.cleaned").exists() for name in "ab"), seconds=2)
    until(lambda: all(ended(int((tmp_path / name).read_text())) for name in "ab"), seconds=2)


def test_a_command_that_does_not_listen_is_ended_by_force(parent, tmp_path):
    process = parent("deaf", "from imavatar_lab.reproduce import tasks\ntasks.PATIENCE_SECONDS = 0.1\n")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143 and all(ended(int((tmp_path / name).read_text())) for name in "ab")
