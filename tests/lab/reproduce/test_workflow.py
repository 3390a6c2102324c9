"""The comparison as a workflow: what it is made of, and how it ends with the process that started it."""

import json
import os
import re
import shutil
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
from imavatar.paths import project_dir
from imavatar_lab.cli.reproduce import reproduce_main
from imavatar_lab.reproduce import machine
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
    return Comparison(replace(SMALL, subjects=2), ("imavatar", "flame_mesh"), facts={"command": "x", "commit": "abc"})


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


def test_a_failure_is_described_by_the_end_of_its_own_newest_log(tmp_path):
    paths = Paths(tmp_path)
    assert describe_failure(paths, "subject_00", "imavatar") == "it was not begun"
    texts = {"": "epoch 1\n", "_epoch_5": "scored\nerror: no space left\n\n", "_unsupervised": "error: another run's\n"}
    for k, (name, text) in enumerate(texts.items()):
        log = paths.log(f"subject_00_imavatar{name}")
        log.parent.mkdir(exist_ok=True)
        log.write_text(text)
        os.utime(log, (k, k))
    own = paths.log("subject_00_imavatar_epoch_5")
    assert describe_failure(paths, "subject_00", "imavatar") == f"error: no space left; see {own}"


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


OPTIONS = ["--small", "--subjects", "1", "--methods", "imavatar,flame_mesh"]
REPORTED = {"tables": 1, "report": 1}
ONE_RUN = {"train": 1, "evaluate": 1} | REPORTED


@pytest.fixture
def finished(tmp_path, comparison) -> Path:
    """A results folder in which everything is there, if only as empty files, each newer than what it is made of."""
    comparison = replace(comparison, budget=replace(SMALL, subjects=1))
    comparison.write(tmp_path)
    scores = [file for run in comparison.runs() for file in comparison.scores_of(*run)]
    trained = [f"runs/{subject}/{method}/trained" for subject, method in comparison.runs()]
    folders = ["tables/x.md", "plots/x.png", "grids/x.png"]
    files = ["comparison.json", "data/DATA_CARD.md", *trained, *scores, "scores.csv", *folders]
    for age, name in enumerate([*files, "RESULTS.md", "report.html"]):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1e9 + age, 1e9 + age))
    for age, name in enumerate(("tables", "plots", "grids")):
        (tmp_path / name / ".snakemake_timestamp").touch()
        os.utime(tmp_path / name / ".snakemake_timestamp", (1.1e9 + age, 1.1e9 + age))
    os.utime(tmp_path / "report.html", (1.2e9, 1.2e9))
    return tmp_path


def left(root: Path, capfd: pytest.CaptureFixture[str], *options: str) -> dict[str, int]:
    """How many jobs of each rule a dry run names."""
    capfd.readouterr()
    reproduce_main([*OPTIONS, "--out", str(root), "--dry-run", *options])
    rows = (line.split() for line in "".join(capfd.readouterr()).splitlines())
    counts = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    return {name: counts[name] for name in ("data", "train", "evaluate", "tables", "report") if name in counts}


def test_of_a_finished_comparison_nothing_is_left(finished, capfd):
    pytest.importorskip("snakemake")
    before = (finished / "comparison.json").read_bytes()
    assert left(finished, capfd) == {}
    assert (finished / "comparison.json").read_bytes() == before


def test_a_score_that_is_gone_is_made_again(finished, capfd):
    pytest.importorskip("snakemake")
    next(finished.glob("runs/*/imavatar/train/eval/test_views/epoch_*/protocol_paper.json")).unlink()
    assert left(finished, capfd) == {"evaluate": 1} | REPORTED


def test_a_run_whose_folder_is_gone_is_trained_again(finished, capfd):
    pytest.importorskip("snakemake")
    shutil.rmtree(finished / "runs" / "subject_00" / "imavatar")
    assert left(finished, capfd) == ONE_RUN


def test_what_failed_is_tried_again_although_its_report_is_there(finished, capfd):
    pytest.importorskip("snakemake")
    shutil.rmtree(finished / "runs" / "subject_00" / "imavatar")
    failed = replace(Comparison.read(finished), problems=("subject_00_imavatar: no space left",))
    failed.write(finished)
    os.utime(finished / "comparison.json", (1e9, 1e9))
    assert left(finished, capfd) == ONE_RUN


def test_of_other_methods_tables_and_report_are_made_anew(finished, capfd):
    pytest.importorskip("snakemake")
    assert left(finished, capfd, "--methods", "imavatar") == REPORTED


def test_a_dry_run_pins_no_budget_and_no_commit(tmp_path, capfd):
    pytest.importorskip("snakemake")
    left(tmp_path, capfd)
    assert not (tmp_path / "budget.json").exists() and not (tmp_path / "commits.txt").exists()
    assert left(tmp_path, capfd, "--subjects", "2")["train"] == 4


def test_the_example_profile_asks_for_gpus_of_the_runs_alone(tmp_path, capfd):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    profile = project_dir() / "confs" / "slurm"
    assert left(tmp_path, capfd, "--profile", str(profile)) == {"data": 1, "train": 2, "evaluate": 2} | REPORTED
    # A dry run caps threads at its cores.
    shown = ["--dry-run", "--", "--quiet", "progress", "--cores", "64"]
    reproduce_main([*OPTIONS, "--out", str(tmp_path), "--profile", str(profile), *shown])
    rules = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", "".join(capfd.readouterr()), re.M)
    assert {name for name, text in rules if re.search(r"\bgpu=1\b", text)} == {"train", "evaluate"}
    assert "threads: 16" in dict(rules)["data"] and "threads: 4" in dict(rules)["train"]


def test_an_executor_without_a_profile_is_told_how_many_jobs_it_may_run(tmp_path, capfd):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    assert left(tmp_path, capfd, "--executor", "slurm", "--jobs", "3")["train"] == 2


@pytest.mark.parametrize("package", ["snakemake", "matplotlib"])
def test_a_package_that_is_missing_is_named_with_its_extra_before_anything_is_made(
    package, tmp_path, monkeypatch, capsys
):
    real = machine.find_spec
    monkeypatch.setattr(machine, "find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(SystemExit):
        reproduce_main([*OPTIONS, "--out", str(tmp_path / "out")])
    message = capsys.readouterr().err.strip()
    assert message.count("\n") == 0 and package in message and "extra `lab`" in message
    assert not (tmp_path / "out").exists()


def test_the_report_says_how_long_the_comparison_took(comparison):
    assert replace(comparison, started=1000.0).until(1000.0 + 150).facts["this call took"] == "2 minutes"
    assert comparison.until(1000.0).facts == comparison.facts
