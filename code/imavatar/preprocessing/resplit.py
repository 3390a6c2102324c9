"""A subject that has been preprocessed, divided another way into training and test, without tracking it anew."""

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from imavatar.data.json_values import Json, read_json
from imavatar.data.splits import BLOCKS, LAST, SPLITS, frames_in_blocks, last_frames, split_dirs
from imavatar.data.subject import JSON_NAME, FrameRecord, Inside, parse_recording
from imavatar.data.video_times import DEFAULT_RATE
from imavatar.data.workplace import alone, subject_lock, write_errors
from imavatar.errors import DataError
from imavatar.files.atomic import sync_folder, write_text
from imavatar.names import shown
from imavatar.preprocessing.report import REPORT_NAME, PreprocessReport, read_report

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Tracked:
    """A frame as it was written: its record, its entry in the file, and its video's name."""

    record: FrameRecord
    entry: dict
    video: str


def add_split(data_folder: Path, subject: str, split: str) -> dict[str, int]:
    """Add the recordings `train_<split>` and `test_<split>` to a subject; returns their numbers of frames.

    What is there stays as it is: the new recordings have the same frames under other names, and their files are links
    to the same content, or copies where the file system knows no links. To be rid of them, delete the two folders. A
    second call does nothing.

    Args:
        split: one of `data.splits.SPLITS`.

    Raises:
        BusyError: another process is working on the subject.
        DataError: the subject is not there, was made by something else than `preprocess`, is divided that way already,
            or cannot be; or a folder of that name holds something else or cannot be written.
    """
    target = data_folder / subject
    if split not in SPLITS:
        raise DataError(f"split {shown(split)!r}: expected {' or '.join(SPLITS)}")
    if not target.is_dir():
        raise DataError(f"{target}: does not exist, expected a subject's folder")
    with alone(subject_lock(data_folder, subject), f"the division of {subject}"):
        return _add(target, split)


def _add(target: Path, split: str) -> dict[str, int]:
    report = _report_of(target)
    folder, counts = target / target.name, {}
    frames, tree = _read_frames(folder, report, split)
    held = _held_out(frames, report, split, target / REPORT_NAME)
    if not held.any() or held.all():
        raise DataError(f"{folder}: the split {split} holds out {held.sum()} of {len(held)} frames, expected some")
    for name, which in zip(split_dirs(split), (~held, held), strict=True):
        chosen = [frames[k] for k in np.flatnonzero(which)]
        entries = [{**frame.entry, "file_path": f"./image/{k}"} for k, frame in enumerate(chosen, start=1)]
        _make(folder / name, chosen, {**tree, "frames": entries, "split": split})
        counts[name] = len(chosen)
    return counts


def _report_of(target: Path) -> PreprocessReport:
    path = target / REPORT_NAME
    if not path.is_file():
        raise DataError(
            f"{path}: is missing; a subject can be divided anew if preprocess has made it, since its cuts and its "
            "frame rate are known then"
        )
    return read_report(path)


def _read_frames(folder: Path, report: PreprocessReport, split: str) -> tuple[list[_Tracked], dict]:
    """All frames in the order of the videos and of time, and the last file's tree, whose camera is that of all."""
    videos = list(report.frames_used)
    if len(videos) > 1 and split == LAST:
        raise DataError(f"{folder}: is of {len(videos)} videos, each with an end of its own; {LAST} needs a single one")
    stems, frames, tree = {Path(name).stem: name for name in videos}, [], {}
    for sub_dir in report.frames_written:
        path = folder / sub_dir / JSON_NAME
        tree = read_json(path)
        recording = parse_recording(tree, path)
        if (recording.split or (LAST if len(videos) == 1 else None)) == split:
            raise DataError(f"{folder / sub_dir}: is of the split {split} already")
        if len(videos) > 1 and sub_dir not in stems:
            raise DataError(f"{folder / sub_dir}: has frames of several videos, and cannot be divided another way")
        video = videos[0] if len(videos) == 1 else stems[sub_dir]
        for record, entry in zip(recording.frames, tree["frames"], strict=True):
            if record.video_frame is None:
                raise DataError(f"{path}: frame {record.name} has no video_frame, expected its number in the video")
            frames.append(_Tracked(record, entry, video))
    return sorted(frames, key=lambda frame: (videos.index(frame.video), frame.record.video_frame)), tree


def _held_out(frames: list[_Tracked], report: PreprocessReport, split: str, path: Path) -> Bool[np.ndarray, " n"]:
    """Which of the frames are held out; `path` is the report's, named in errors."""
    if split != BLOCKS:
        return last_frames(len(frames))
    held = []
    try:
        facts = {entry["name"]: entry["fps"] for entry in report.videos}
        for video in report.frames_used:
            number = np.array([frame.record.video_frame for frame in frames if frame.video == video], dtype=np.int64)
            shots = [(shot["first"], shot["last"]) for shot in report.shots if shot["video"] == video]
            fps = report.request["fps"] or facts.get(video, DEFAULT_RATE)
            held.append(frames_in_blocks(number, shots, fps))
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as a report ({error}); preprocess the video again") from error
    return np.concatenate(held)


def _make(folder: Path, frames: list[_Tracked], tree: Json) -> None:
    """A recording that appears complete or not at all; one with the same content stays."""
    if folder.exists():
        path = folder / JSON_NAME
        if path.is_file() and read_json(path) == tree:
            logger.info("%s: is there already", folder)
            return
        raise DataError(f"{folder}: exists already and holds something else; delete it first")
    inside = Inside()
    with write_errors(folder), _new_folder(folder) as partial:
        for kind in ("image", "mask", "semantic"):
            (partial / kind).mkdir()
            for number, frame in enumerate(frames, start=1):
                source = getattr(frame.record, f"{kind}_path")
                inside.check(source, frame.record.folder)
                _link(source, partial / kind / f"{number}.png")
            sync_folder(partial / kind)
        parse_recording(tree, partial / JSON_NAME)
        write_text(partial / JSON_NAME, json.dumps(tree))
        partial.chmod(0o755)
        partial.rename(folder)
        sync_folder(folder.parent)


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to be renamed to another; if it is still there at the end, it goes, as those of killed processes do."""
    prefix = f".{folder.name}.partial-"
    for left in folder.parent.glob(f"{prefix}????????"):
        shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _link(source: Path, path: Path) -> None:
    """The same file under another name, or a copy where it can have no second one."""
    try:
        os.link(os.path.realpath(source), path)
    except FileNotFoundError as error:
        raise DataError(f"{source}: is missing; preprocess the video again") from error
    except OSError:
        shutil.copyfile(source, path)
