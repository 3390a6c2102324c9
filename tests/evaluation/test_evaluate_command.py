"""The command that scores runs: results that are there, damaged, or being made by another process."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from imavatar import build
from imavatar.cli.evaluate import PROTOCOL_NAMES, evaluate_main
from imavatar.errors import DataError
from imavatar.evaluation.metrics import METRICS
from imavatar.evaluation.protocols import PROTOCOLS
from imavatar.evaluation.scoring import Networks
from imavatar.evaluation.tables import read_protocol
from imavatar.files.locks import locked
from imavatar.training.run_folder import RunFolder
from imavatar.workflows import evaluating, trained
from tiny_runs import untrained

RESULTS = {
    "protocol": "paper",
    "pixels": "the face",
    "size": [64, 48],
    "fitted": "nothing",
    "frames": 3,
    "mean": dict.fromkeys(METRICS, 0.25) | {"lpips": None},
}


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A run with results of sequence a, and none of b."""
    made = untrained(tmp_path)
    config = build.with_subject(build.with_test_dir(made.config, "a"), "me")
    monkeypatch.setattr(trained, "load", lambda run, _: replace(made, config=config, epoch=7, folder=RunFolder(run)))
    folder = tmp_path / "runs" / "me" / "fast" / "train"
    file(folder, "a").parent.mkdir(parents=True)
    (folder / "config.conf").touch()
    file(folder, "a").write_text(json.dumps(RESULTS))
    return folder


def file(run: Path, sequence: str) -> Path:
    return run / "eval" / sequence / "epoch_7" / "protocol_paper.json"


def test_results_that_are_there_need_no_lock(run, capsys):
    with locked(run / "eval" / ".lock", "a test"):
        evaluate_main([str(run)])
    assert "me/fast a" in capsys.readouterr().out


def test_the_table_names_the_split_and_how_many_frames_count(run, capsys):
    file(run, "a").write_text(json.dumps({**RESULTS, "split": "blocks", "counted": 2}))
    evaluate_main([str(run)])
    row = capsys.readouterr().out.splitlines()[2].split()
    assert row[:6] == ["me/fast", "a", "blocks", "2", "of", "3"]
    file(run, "a").write_text(json.dumps(RESULTS))
    evaluate_main([str(run)])
    assert capsys.readouterr().out.splitlines()[2].split()[:4] == ["me/fast", "a", "-", "3"]


def test_of_a_run_that_another_process_evaluates_the_others_are_scored(run, capsys, monkeypatch):
    other = run.with_name("other")
    monkeypatch.setattr(evaluating, "_score_sequence", lambda *_: pytest.fail("scored"))
    run.rename(other)
    file(run, "a").parent.mkdir(parents=True)
    (run / "config.conf").touch()
    with locked(run / "eval" / ".lock", "a test"), pytest.raises(SystemExit) as stop:
        evaluate_main([str(run), str(other)])
    printed = capsys.readouterr()
    assert stop.value.code == 2 and "me/fast a" in printed.out
    assert printed.err.startswith(f"error: {run}: {run / 'eval'}: a test (process ")


def test_leftovers_are_removed_and_what_another_process_has_just_made_is_taken(run, capsys, monkeypatch):
    left = [run / "eval" / "a" / name for name in ("metrics.json.partial", ".x.csv.7-0a1b2c3d.tmp.csv")]
    for path in left:
        path.touch()

    def score(*_):
        assert not any(path.exists() for path in left) and (run / "eval" / ".lock").read_text()
        file(run, "a").write_text(json.dumps({**RESULTS, "pixels": "new"}))

    monkeypatch.setattr(evaluating, "_score_sequence", score)
    monkeypatch.setattr(evaluating, "load_networks", Networks)
    evaluate_main([str(run), "--again"])
    assert "(new)" in capsys.readouterr().out


def test_the_command_offers_every_protocol():
    assert list(PROTOCOL_NAMES) == list(PROTOCOLS)


DAMAGED = {
    "cut": (json.dumps(RESULTS)[:-40], "is not valid JSON"),
    "empty": ("", "is not valid JSON"),
    "no text": (b"\xff\xfe{}", "is not text"),
    "a list": ("[]", "holds list, expected a protocol's results"),
    "no mean": (json.dumps({**RESULTS, "mean": None}), "mean.mae is None, expected a number"),
    "part of a mean": (json.dumps({**RESULTS, "mean": {"mae": 1}}), "mean.psnr is None, expected a number"),
    "text": (json.dumps({**RESULTS, "mean": {**RESULTS["mean"], "psnr": "1"}}), "mean.psnr is '1'"),
    "not finite": (json.dumps({**RESULTS, "mean": {**RESULTS["mean"], "psnr": float("nan")}}), "mean.psnr is nan"),
    "size": (json.dumps({**RESULTS, "size": [1, 2, 3]}), r"size is \[1, 2, 3\], expected height and width"),
    "frames": (json.dumps({**RESULTS, "frames": "3"}), "frames is '3', expected how many"),
    "protocol": (json.dumps({**RESULTS, "protocol": 3}), "protocol is 3, expected text"),
    "counted": (json.dumps({**RESULTS, "counted": 1.5}), "counted is 1.5, expected a number of frames"),
    "split": (json.dumps({**RESULTS, "split": ["last"]}), "split is .*, expected text"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_results_are_refused_by_name(name, run, capsys):
    content, message = DAMAGED[name]
    path = file(run, "a")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=rf"protocol_paper.json: {message}"):
        read_protocol(path)
    with pytest.raises(SystemExit):
        evaluate_main([str(run)])
    error = capsys.readouterr().err
    assert error.startswith(f"error: {run}: {path}: ") and error.count("\n") == 1
