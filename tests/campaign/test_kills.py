"""A short campaign of kills and full disks; `python tests/campaign/kills.py` runs the whole one."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).with_name("kills.py")


@pytest.mark.slow
def test_every_rerun_ends_as_an_unbroken_run():
    # In a process of its own: it forks, which a process with many threads must not.
    numbers = ["--kills", "10", "--aimed", "8", "--disks", "4", "--seed", "1"]
    done = subprocess.run([sys.executable, KILLS, *numbers], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills at random moments" in done.stdout and "8 kills inside of a save" in done.stdout
    assert done.stdout.rstrip().endswith("0 failures")
