"""Scalars go to a CSV file that keeps all rows when a column is new."""

import csv
import importlib.util

from imavatar.training.logs import ScalarLog


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def without_tensorboard(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else find(name))


def test_rows_are_appended_across_runs(tmp_path, monkeypatch):
    without_tensorboard(monkeypatch)
    ScalarLog(tmp_path).log(0, {"loss": 1.5})
    ScalarLog(tmp_path).log(1, {"loss": 0.5})
    assert rows(tmp_path / "train.csv") == [{"step": "0", "loss": "1.5"}, {"step": "1", "loss": "0.5"}]
    assert not (tmp_path / "tensorboard").exists()


def test_a_new_column_loses_nothing(tmp_path, monkeypatch):
    without_tensorboard(monkeypatch)
    log = ScalarLog(tmp_path)
    log.log(0, {"loss": 1.5})
    log.log(1, {"loss": 0.5, "mask": 2.0})
    assert rows(tmp_path / "train.csv") == [
        {"step": "0", "loss": "1.5", "mask": ""},
        {"step": "1", "loss": "0.5", "mask": "2.0"},
    ]


def test_wandb_that_is_not_installed_is_reported(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ScalarLog(tmp_path, wandb_workspace="someone").log(0, {"loss": 1.0})
    assert "wandb is not installed" in caplog.text


def test_the_column_of_an_older_file_has_its_present_name(tmp_path):
    (tmp_path / "train.csv").write_text("step,loss,limited\n1,0.5,0.25\n2,0.4,0.125\n")
    log = ScalarLog(tmp_path, start=2)
    log.log(2, {"loss": 0.3, "clipped": 0.0})
    log.close()
    assert (tmp_path / "train.csv").read_text().split() == ["step,loss,clipped", "1,0.5,0.25", "2,0.3,0.0"]
