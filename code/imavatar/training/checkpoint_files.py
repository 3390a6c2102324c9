"""A checkpoint's files in the authors' folders, saved as one act: all of them, or none (docs/checkpoints.md)."""

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from imavatar.errors import CheckpointError
from imavatar.files.atomic import naming, remove_temporaries, sync_folder, write_text

LATEST = "latest"
FOLDERS = {
    "model": "ModelParameters",
    "optimizer": "OptimizerParameters",
    "scheduler": "SchedulerParameters",
    "optimizer_inputs": "OptimizerInputs",
    "inputs": "InputParameters",
}
INDEX = "index.json"
STAGED_SUFFIX = ".new"
DIGEST_LETTERS = 16
"""Of a SHA-256 sum in the name of a file that is not in its place yet."""


@dataclass(frozen=True)
class SavedCheckpoint:
    """What belongs together under a name: the epoch that trains next, and the SHA-256 sum of each part's file."""

    epoch: int
    digests: Mapping[str, str]


def checkpoint_file(folder: Path, part: str, name: str) -> Path:
    """Where one of the five parts of checkpoint `name` (an epoch or `latest`) stands in the authors' layout."""
    return folder / FOLDERS[part] / f"{name}.pth"


def valid_file(folder: Path, part: str, name: str, saved: SavedCheckpoint | None) -> Path:
    """The file of a part that counts: the staged one where a kill came after a save, before all was in its place."""
    if saved is not None and part in saved.digests:
        staged = _staged_file(folder, part, name, saved.digests[part])
        if staged.exists():
            return staged
    return checkpoint_file(folder, part, name)


def read_index(folder: Path) -> dict[str, SavedCheckpoint]:
    """The checkpoints that this version has saved in a folder, by name; none where other programs have.

    Raises:
        CheckpointError: the index is damaged.
    """
    path = folder / INDEX
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _bad_index(path, error) from error
    try:
        return {name: _saved(value) for name, value in json.loads(text)["checkpoints"].items()}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise _bad_index(path, error) from error


def save_checkpoint(
    folder: Path, names: list[str], parts: Mapping[str, dict[str, Any]], *, keep: str | None = None
) -> None:
    """Write all parts under each name: all of them are there afterwards, or what was there before.

    Every part is written beside its place and brought to the disk; then the index, replaced in one step, says that they
    count; then they are moved into their places. A kill before the index leaves the old checkpoint, one after it the
    new one. Only for who holds the lock of the run.

    Args:
        keep: the epoch of what has been `latest` until now, under which it stays; part of the same act.

    Raises:
        CheckpointError: it cannot be written, as on a full disk; nothing is changed then, and nothing left behind.
    """
    files = {part: _File.of(_serialised(content)) for part, content in parts.items()}
    epoch = int(next(iter(parts.values()))["epoch"])
    staged = [(name, epoch, files) for name in names]
    try:
        with contextlib.ExitStack() as at_the_end:
            # Also after an interruption: what the index counts is moved into place, the rest removed.
            at_the_end.callback(finish_save, folder)
            index = read_index(folder)
            if keep is not None:
                staged.append((keep, int(keep), _files_of(folder, LATEST, index.get(LATEST))))
            for name, _, named_files in staged:
                for part, file in named_files.items():
                    _stage(folder, part, name, file)
            there = {name: saved for name, saved in index.items() if _is_there(folder, name, saved)}
            new = {name: SavedCheckpoint(n, {part: f.digest for part, f in fs.items()}) for name, n, fs in staged}
            _write_index(folder, {**there, **new})
    except OSError as error:
        raise CheckpointError(_not_written(folder, staged, error)) from error


def finish_save(folder: Path) -> None:
    """Bring a save that a kill or a full disk has interrupted to its end, or undo it; removes what it left.

    Only for who holds the lock of the run.
    """
    for name, saved in read_index(folder).items():
        for part, digest in saved.digests.items():
            staged = _staged_file(folder, part, name, digest)
            if staged.exists():
                os.replace(staged, checkpoint_file(folder, part, name))
    for part_folder in (folder / name for name in FOLDERS.values()):
        if part_folder.is_dir():
            for staged in part_folder.glob(f".*{STAGED_SUFFIX}"):
                staged.unlink()
            sync_folder(part_folder)
    remove_temporaries(folder)


@dataclass(frozen=True)
class _File:
    """The content of a part's file and its SHA-256 sum."""

    content: bytes
    digest: str

    @classmethod
    def of(cls, content: bytes) -> "_File":
        return cls(content, hashlib.sha256(content).hexdigest())


def _files_of(folder: Path, name: str, saved: SavedCheckpoint | None) -> dict[str, _File]:
    paths = {part: valid_file(folder, part, name, saved) for part in FOLDERS}
    return {part: _File.of(path.read_bytes()) for part, path in paths.items() if path.exists()}


def _stage(folder: Path, part: str, name: str, file: _File) -> None:
    """Write a part beside its place, and wait until it is on the disk."""
    path = _staged_file(folder, part, name, file.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), path.open("wb") as opened:
        opened.write(file.content)
        opened.flush()
        os.fsync(opened.fileno())
    sync_folder(path.parent)


def _staged_file(folder: Path, part: str, name: str, digest: str) -> Path:
    return folder / FOLDERS[part] / f".{name}.{digest[:DIGEST_LETTERS]}{STAGED_SUFFIX}"


def _write_index(folder: Path, index: Mapping[str, SavedCheckpoint]) -> None:
    checkpoints = {name: {"epoch": saved.epoch, "sha256": dict(saved.digests)} for name, saved in index.items()}
    write_text(folder / INDEX, json.dumps({"checkpoints": checkpoints}, indent=1) + "\n")


def _is_there(folder: Path, name: str, saved: SavedCheckpoint) -> bool:
    """Whether a checkpoint's files have not been deleted since."""
    return any(valid_file(folder, part, name, saved).exists() for part in saved.digests)


def _saved(value: Any) -> SavedCheckpoint:
    digests = {part: digest for part, digest in value["sha256"].items() if part in FOLDERS}
    if type(value["epoch"]) is not int or not all(isinstance(digest, str) for digest in digests.values()):
        raise TypeError(f"no checkpoint: {value}")
    if not all(set(digest) <= set("0123456789abcdef") and len(digest) == 64 for digest in digests.values()):
        raise ValueError(f"no SHA-256 sums: {value}")
    return SavedCheckpoint(value["epoch"], digests)


def _serialised(content: dict[str, Any]) -> bytes:
    """In memory first: torch's own writer says of a full disk no more than that a position is unexpected."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _bad_index(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read ({type(error).__name__}), expected the names, epochs and SHA-256 sums of checkpoints; "
        "delete it to use the checkpoints beside it without these sums"
    )


def _not_written(folder: Path, staged: list[tuple[str, int, dict[str, _File]]], error: OSError) -> str:
    place = error.filename or folder
    message = f"{place}: the checkpoint cannot be written ({error.strerror or error})"
    with contextlib.suppress(OSError):
        needed = sum(len(file.content) for _, _, files in staged for file in files.values())
        message += f"; it needs {needed / 1e6:.1f} MB, {shutil.disk_usage(folder).free / 1e6:.1f} MB are free"
    with contextlib.suppress(CheckpointError):
        latest = read_index(folder).get(LATEST)
        message += f"; `{LATEST}` is still that of epoch {latest.epoch}" if latest else "; none has been saved yet"
    return f"{message}. Make space and go on with --is_continue"
