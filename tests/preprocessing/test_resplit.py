"""A subject divided another way: the same frames and files, and what was there stays."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from imavatar import build
from imavatar.cli import evaluate_main, exp_runner_main, split_main
from imavatar.config import load_config
from imavatar.data.dataset import FaceDataset
from imavatar.data.splits import frames_in_blocks
from imavatar.data.subject import load_recording
from imavatar.errors import BusyError, DataError
from imavatar.files.locks import locked
from imavatar.head.assets import save_head
from imavatar.preprocessing import resplit
from imavatar.preprocessing.report import PreprocessReport
from imavatar.preprocessing.resplit import add_split
from oracles_ellipsoid_head import ellipsoid_head
from oracles_subject import write_subject
from tiny_runs import write_config

ERRORS = {"error_px": 1.5, "error_share": 0.01, "error_share_without_oval": 0.008}
FPS = 5.0


def write_report(root: Path, shots: dict[str, list[tuple[int, int]]], written: dict[str, int], fps=FPS) -> None:
    report = PreprocessReport(
        40,
        40,
        written,
        [],
        ERRORS,
        100.0,
        512.0,
        True,
        shots=[{"video": v, "first": a, "last": b, "used": b - a + 1} for v, own in shots.items() for a, b in own],
        frames_used={video: [list(pair) for pair in own] for video, own in shots.items()},
        videos=[{"name": video, "fps": FPS, "notes": []} for video in shots],
        request={"fps": fps},
    )
    (root / "sphere" / "report.json").write_text(json.dumps(asdict(report)))


def number_frames(folder: Path, numbers: list[int], split: str | None = None) -> None:
    """Give a recording's frames these numbers in their video."""
    path = folder / "flame_params.json"
    tree = json.loads(path.read_text())
    for frame, number in zip(tree["frames"], numbers, strict=True):
        frame["video_frame"] = number
    path.write_text(json.dumps(tree | ({} if split is None else {"split": split})))


@pytest.fixture
def subject(tmp_path) -> Path:
    """The data folder of a subject of one video with a cut between its frames 24 and 25."""
    root = write_subject(tmp_path / "data", size=(32, 24), n_frames=20, sub_dirs=("train", "test"))
    folder = root / "sphere" / "sphere"
    number_frames(folder / "train", list(range(20)))
    number_frames(folder / "test", list(range(20, 40)))
    write_report(root, {"a.mp4": [(0, 24), (25, 39)]}, {"train": 20, "test": 20})
    return root


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def images(folder: Path) -> dict[int, tuple[bytes, bytes, bytes, str]]:
    """Files and parameters of the frames of recordings, by their numbers in the video."""
    found = {}
    for frame in load_recording(folder).frames:
        files = (path.read_bytes() for path in (frame.image_path, frame.mask_path, frame.semantic_path))
        found[frame.video_frame] = (*files, str((frame.world_mat, frame.expression, frame.pose, frame.keypoints)))
    return found


def test_the_same_frames_are_divided_by_blocks_and_what_was_there_stays(subject):
    folder = subject / "sphere" / "sphere"
    before = {name: content(folder / name) for name in ("train", "test")}
    counts = add_split(subject, "sphere", "blocks")
    held = frames_in_blocks(np.arange(40), [(0, 24), (25, 39)], FPS)
    train, test = (images(folder / f"{name}_blocks") for name in ("train", "test"))
    assert list(train) == np.flatnonzero(~held).tolist() and list(test) == np.flatnonzero(held).tolist()
    assert list(test) == [10, 11, 12, 13, 14, 31, 32, 33]
    assert counts == {"train_blocks": len(train), "test_blocks": len(test)}
    every = images(folder / "train") | images(folder / "test")
    assert train | test == every
    assert {name: content(folder / name) for name in ("train", "test")} == before
    recording = load_recording(folder / "test_blocks")
    assert recording.split == "blocks" and [frame.name for frame in recording.frames] == list("12345678")
    assert FaceDataset(subject, "sphere", ["test_blocks"], (32, 24), use_semantics=True).frame(7).image is not None
    assert sorted(path.name for path in folder.iterdir()) == ["test", "test_blocks", "train", "train_blocks"]


def test_files_are_links_or_copies_where_there_are_no_links(subject, monkeypatch):
    folder = subject / "sphere" / "sphere"
    add_split(subject, "sphere", "blocks")
    assert os.path.samefile(folder / "train" / "mask" / "1.png", folder / "train_blocks" / "mask" / "1.png")
    again = content(folder / "train_blocks")
    for name in ("train_blocks", "test_blocks"):
        (folder / name).rename(folder / f"old_{name}")

    def refuse(*_):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(resplit.os, "link", refuse)
    add_split(subject, "sphere", "blocks")
    assert not os.path.samefile(folder / "train" / "mask" / "1.png", folder / "train_blocks" / "mask" / "1.png")
    assert content(folder / "train_blocks") == again


def test_a_second_call_does_nothing_and_a_killed_one_is_finished(subject):
    folder = subject / "sphere" / "sphere"
    first = add_split(subject, "sphere", "blocks")
    made = (folder / "train_blocks").stat().st_ino
    (folder / "test_blocks").rename(folder / ".test_blocks.partial-0123abcd")
    assert add_split(subject, "sphere", "blocks") == first
    assert (folder / "train_blocks").stat().st_ino == made
    assert sorted(path.name for path in folder.iterdir()) == ["test", "test_blocks", "train", "train_blocks"]


def test_what_else_is_there_is_not_overwritten(subject):
    folder = subject / "sphere" / "sphere" / "train_blocks"
    folder.mkdir()
    (folder / "mine.txt").touch()
    with pytest.raises(DataError, match="train_blocks: exists already and holds something else; delete it first"):
        add_split(subject, "sphere", "blocks")
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_blocks_can_become_the_last_fifth(subject):
    folder = subject / "sphere" / "sphere"
    add_split(subject, "sphere", "blocks")
    before = images(folder / "train") | images(folder / "test")
    for name in ("train", "test"):
        (folder / name).rename(folder / f"old_{name}")
        (folder / f"{name}_blocks").rename(folder / name)
    with pytest.raises(DataError, match="train: is of the split blocks already"):
        add_split(subject, "sphere", "blocks")
    assert add_split(subject, "sphere", "last") == {"train_last": 32, "test_last": 8}
    assert images(folder / "test_last") == {number: before[number] for number in range(32, 40)}


def test_blocks_of_several_videos_are_held_out_of_each(tmp_path):
    root = write_subject(tmp_path, size=(32, 24), n_frames=25, sub_dirs=("a", "b"))
    folder = root / "sphere" / "sphere"
    for name in ("a", "b"):
        number_frames(folder / name, list(range(25)))
    write_report(root, {"a.mp4": [(0, 24)], "b.mov": [(0, 24)]}, {"a": 25, "b": 25}, fps=None)
    assert add_split(root, "sphere", "blocks") == {"train_blocks": 40, "test_blocks": 10}
    held = [frame.video_frame for frame in load_recording(folder / "test_blocks").frames]
    assert held == [10, 11, 12, 13, 14] * 2
    with pytest.raises(DataError, match="is of 2 videos, each with an end of its own; last needs a single one"):
        add_split(root, "sphere", "last")


def test_what_cannot_be_divided_is_refused(subject, capsys):
    folder = subject / "sphere" / "sphere"
    with pytest.raises(DataError, match="split 'middle': expected last or blocks"):
        add_split(subject, "sphere", "middle")
    with pytest.raises(DataError, match="nobody: does not exist, expected a subject's folder"):
        add_split(subject, "nobody", "blocks")
    with pytest.raises(DataError, match="train: is of the split last already"):
        add_split(subject, "sphere", "last")
    with locked(subject / ".sphere.lock", "a test"), pytest.raises(BusyError, match="a test"):
        add_split(subject, "sphere", "blocks")
    write_report(subject, {"a.mp4": [(k, k + 7) for k in range(0, 40, 8)]}, {"train": 20, "test": 20})
    with pytest.raises(DataError, match="the split blocks holds out 0 of 40 frames"):
        add_split(subject, "sphere", "blocks")
    write_report(subject, {"a.mp4": [(0, 39)]}, {"train": 20, "test": 20})
    (folder / "train" / "image" / "3.png").unlink()
    with pytest.raises(DataError, match=r"3\.png: is missing"):
        add_split(subject, "sphere", "blocks")
    tree = json.loads((folder / "test" / "flame_params.json").read_text())
    del tree["frames"][4]["video_frame"]
    (folder / "test" / "flame_params.json").write_text(json.dumps(tree))
    with pytest.raises(DataError, match="frame 5 has no video_frame, expected its number in the video"):
        add_split(subject, "sphere", "blocks")
    (subject / "sphere" / "report.json").unlink()
    with pytest.raises(DataError, match=r"report\.json: is missing"):
        add_split(subject, "sphere", "blocks")
    assert sorted(path.name for path in folder.iterdir()) == ["test", "train"]


def test_links_out_of_a_recording_are_refused(subject, tmp_path):
    image = subject / "sphere" / "sphere" / "train" / "image" / "3.png"
    image.rename(tmp_path / "3.png")
    image.symlink_to(tmp_path / "3.png")
    with pytest.raises(DataError, match="out of the recording's folder"):
        add_split(subject, "sphere", "blocks")


def test_a_configuration_is_for_the_split_that_is_asked_for(subject, tmp_path):
    save_head(subject / "head.npz", ellipsoid_head())
    config = load_config(write_config(subject))
    assert build.with_split(config, None) == config
    with pytest.raises(DataError, match=r"has no recordings train_blocks and test_blocks, .*split.*--split blocks"):
        build.with_split(config, "blocks")
    add_split(subject, "sphere", "blocks")
    other = build.with_split(config, "blocks")
    assert (other.dataset.train.sub_dir, other.dataset.test.sub_dir) == (("train_blocks",), ("test_blocks",))
    assert build.build_run_folder(other) != build.build_run_folder(config)
    datasets = [build.build_dataset(other, part, only_json=True) for part in ("train", "test")]
    assert [len(dataset) for dataset in datasets] == [32, 8] and {dataset.split for dataset in datasets} == {"blocks"}
    for name in ("train", "test"):
        number_frames(subject / "sphere" / "sphere" / name, list(range(20)), "last")
    assert build.with_split(config, "last") == config


@pytest.mark.slow
def test_one_command_scores_runs_of_both_splits(subject, capsys, monkeypatch):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(subject / "none"))
    save_head(subject / "head.npz", ellipsoid_head())
    conf = ["--conf", write_config(subject), "--nepoch", "1"]
    add_split(subject, "sphere", "blocks")
    for split in ([], ["--split", "blocks"]):
        exp_runner_main([*conf, *split])
    exp_runner_main([*conf, "--split", "blocks", "--is_eval"])
    said = capsys.readouterr().out
    assert "split blocks: held out is the middle one of every five" in said and "PSNR, eyes" in said
    runs = [subject / "runs" / "sphere" / "tiny" / name for name in ("train", "train_blocks")]
    results = json.loads((runs[1] / "eval" / "test_blocks" / "epoch_1" / "metrics.json").read_text())
    assert results["split"] == "blocks" and results["n_frames"] == 8 and "psnr_mouth" in results["mean"]
    evaluate_main([*map(str, runs), "--protocol", "full", "--protocol", "hair-rim"])
    rows = [line.split()[:4] for line in capsys.readouterr().out.splitlines() if line.startswith("sphere/")]
    assert rows == 2 * [["sphere/tiny", "test", "-", "20"], ["sphere/tiny", "test_blocks", "blocks", "8"]]


def test_the_command_says_what_it_has_made(subject, capsys):
    split_main(["--subject", "sphere", "--data", str(subject)])
    assert "sphere/train_blocks: 32 frames" in capsys.readouterr().out
