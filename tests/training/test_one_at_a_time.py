"""One process at a time in a run's folder; notes that are damaged; rows that are made again."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from imavatar.cli.exp_runner import exp_runner_main
from imavatar.files.locks import LOCK_FILE
from imavatar.training.logs import ScalarLog
from tiny_runs import refusal, run_folder, write_config

RUNNER = Path(__file__).parents[2] / "scripts" / "exp_runner.py"


def test_a_second_training_is_refused_and_goes_on_after_a_kill_of_the_first(root, capsys):
    conf = write_config(root)
    first = subprocess.Popen([sys.executable, RUNNER, "--conf", conf, "--nepoch", "10000"], stdout=subprocess.DEVNULL)
    try:
        table = run_folder(root) / "train" / "train.csv"
        deadline = time.monotonic() + 120
        while not table.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        for more in ([], ["--is_continue"]):
            error = refusal(capsys, "--conf", conf, "--nepoch", "4", *more)
            assert f"a training (process {first.pid} on {socket.gethostname()}" in error
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    done = len(table.read_text().splitlines())
    exp_runner_main(["--conf", conf, "--nepoch", str(done + 2), "--is_continue"])
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(done + 2))
    assert (run_folder(root) / "train" / LOCK_FILE).read_text() == ""


def test_a_finished_note_that_is_damaged_does_not_stop_the_run_from_going_on(root, capsys, caplog):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "1"])
    note = run_folder(root) / "train" / "finished.json"
    for content in (b"", b'{"epochs"', b"\xff\xfe", b"[" * 100_000):
        note.write_bytes(content)
        assert "--is_continue" in refusal(capsys, "--conf", conf, "--nepoch", "1")
        assert "finished.json is damaged" in caplog.text
    exp_runner_main(["--conf", conf, "--nepoch", "2", "--is_continue"])
    assert json.loads(note.read_text())["epochs"] == 2


def test_rows_of_epochs_that_are_trained_again_are_replaced(root):
    conf = write_config(root)
    exp_runner_main(["--conf", conf, "--nepoch", "3"])
    path = run_folder(root) / "train" / "train.csv"
    first = path.read_text().splitlines()
    path.write_text("\n".join([*first, "7,1,2", "x", ""]))
    exp_runner_main(["--conf", conf, "--nepoch", "4", "--is_continue", "--checkpoint", "1"])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["step"] for row in rows] == ["0", "1", "2", "3"]
    column = first[0].split(",").index("loss")
    assert [row["loss"] for row in rows[:3]] == [line.split(",")[column] for line in first[1:4]]


def test_a_table_of_more_cells_than_columns_is_cut_to_its_whole_rows(tmp_path, monkeypatch, caplog):
    (tmp_path / "train.csv").write_bytes(b"step,loss\n0,1.5\n1,2,3\n\xff,4\n2\n1,0.5\n")
    ScalarLog(tmp_path, start=5).log(5, {"loss": 0.25})
    assert (tmp_path / "train.csv").read_text().split() == ["step,loss", "0,1.5", "1,0.5", "5,0.25"]
