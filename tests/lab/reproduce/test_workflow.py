"""The comparison as a workflow: what it is made of, and how it ends with the process that started it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from imavatar.cli.arguments import MOST_PROCESSES
from imavatar.errors import ImavatarError
from imavatar.files.lifeline import VARIABLE, Lifeline
from imavatar_lab.cli.reproduce import reproduce_main
from imavatar_lab.reproduce.plan import PROTOCOLS, SMALL, TESTS, Paths
from imavatar_lab.reproduce.workflow import Comparison, describe_failure, missing_runs

CHILD = """
import sys, time
from pathlib import Path
from imavatar.cli.common import guarded

def work():
    Path(sys.argv[1]).touch()
    try:
        time.sleep(60)
    finally:
        Path(sys.argv[1] + ".cleaned").touch()

guarded(work)
"""
PARENT = """
import subprocess, sys, time
from pathlib import Path
from imavatar.files.lifeline import Lifeline
import os

line = Lifeline(Path(sys.argv[1]) / "line")
shell = f"{sys.executable} {sys.argv[1]}/child.py {sys.argv[1]}/begun"
subprocess.Popen(["bash", "-c", shell + "; true"], env=os.environ | line.environment)
time.sleep(60)
"""


def wait_for(path: Path, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return path.exists()


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(replace(SMALL, subjects=2), ("imavatar", "flame_mesh"), facts={"commit": "abc"}, command="x")


def test_a_comparison_is_read_as_it_was_written(comparison, tmp_path):
    comparison.write(tmp_path)
    assert Comparison.read(tmp_path) == comparison
    for content in ("{", "[]", json.dumps({"budget": {"minutes": 1}}), "[" * 100_000):
        (tmp_path / "comparison.json").write_text(content)
        with pytest.raises(ImavatarError, match=r"comparison\.json: is no comparison"):
            Comparison.read(tmp_path)


def test_scores_lie_where_the_evaluation_writes_them(comparison):
    own, paths = comparison.scores_of("subject_01", "flame_mesh"), Paths(Path("/r"))
    assert len(own) == len(TESTS) * len(PROTOCOLS)
    from imavatar_lab.reproduce.plan import METHODS

    for method in METHODS:
        folders = {paths.evaluation(comparison.budget, "subject_01", method, sequence) for sequence in TESTS}
        found = comparison.scores_of("subject_01", method.name)
        assert {(Path("/r") / file).parent for file in found} == folders


def test_runs_without_all_scores_are_missing_and_left_out_once_something_failed(comparison, tmp_path, monkeypatch):
    for file in comparison.scores_of("subject_00", "imavatar"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert missing_runs(comparison, tmp_path) == comparison.runs()[1:]
    monkeypatch.chdir(tmp_path)
    assert len(comparison.wanted_scores()) == 4 * len(TESTS) * len(PROTOCOLS)
    failed = replace(comparison, problems=("subject_01_imavatar: no space",))
    assert failed.wanted_scores() == comparison.scores_of("subject_00", "imavatar")


def test_a_failure_is_described_by_the_end_of_the_newest_log(tmp_path):
    paths = Paths(tmp_path)
    assert describe_failure(paths, "subject_00", "imavatar") == "it was not begun"
    for k, (name, text) in enumerate({"": "epoch 1\n", "_epoch_5": "scored\nerror: no space left\n\n"}.items()):
        log = paths.log(f"subject_00_imavatar{name}")
        log.parent.mkdir(exist_ok=True)
        log.write_text(text)
        os.utime(log, (k, k))
    assert describe_failure(paths, "subject_00", "imavatar") == f"error: no space left; see {log}"


def test_commands_end_with_the_process_that_started_them_even_through_a_shell(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=os.environ)
    try:
        assert wait_for(tmp_path / "begun")
        parent.send_signal(signal.SIGKILL)
        assert wait_for(tmp_path / "begun.cleaned", 10.0)
    finally:
        parent.kill()
        parent.wait()


def test_a_lifeline_that_is_gone_or_none_is_no_harm(tmp_path):
    (tmp_path / "child.py").write_text(CHILD.replace("time.sleep(60)", "time.sleep(0.3)"))
    (tmp_path / "file").touch()
    for pipe in (tmp_path / "nothing", tmp_path / "file", ""):
        command = [sys.executable, str(tmp_path / "child.py"), str(tmp_path / "begun")]
        done = subprocess.run(command, env=os.environ | {VARIABLE: str(pipe)}, check=False)
        assert done.returncode == 0
    line = Lifeline(tmp_path / "deep" / "line")
    line.cut()
    line.cut()
    assert not line.path.exists()


def test_a_dry_run_says_what_is_to_be_made_here_and_on_a_cluster(tmp_path, capfd):
    pytest.importorskip("snakemake", reason="the comparison needs Snakemake (extra `lab`)")
    options = ["--small", "--subjects", "1", "--methods", "imavatar,flame_mesh", "--out", str(tmp_path), "--dry-run"]
    reproduce_main(options)
    printed = capfd.readouterr()
    counts = dict(
        line.split() for line in printed.out.splitlines() + printed.err.splitlines() if len(line.split()) == 2
    )
    assert {name: counts[name] for name in ("data", "train", "evaluate", "tables", "report")} == {
        "data": "1", "train": "2", "evaluate": "2", "tables": "1", "report": "1",
    }  # fmt: skip
    assert "dry run: nothing was made" in printed.out
    assert not (tmp_path / "runs").exists() and not (tmp_path / "report.html").exists()


def test_the_bounds_of_jobs_are_those_of_processes():
    with pytest.raises(SystemExit):
        reproduce_main(["--jobs", str(MOST_PROCESSES + 1)])
