"""Checkpoints read strictly: whole, of one epoch, of numbers that are finite (docs/checkpoints.md)."""

import hashlib
import io
import logging
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imavatar.errors import CheckpointError
from imavatar.names import is_name, shown
from imavatar.training.checkpoint_files import FOLDERS, LATEST, SavedCheckpoint, checkpoint_file, read_index, valid_file

logger = logging.getLogger(__name__)

UNREADABLE = (
    *(RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, TypeError, MemoryError),
    *(OverflowError, AssertionError, zipfile.BadZipFile, pickle.UnpicklingError),
)
"""What torch raises for a file that is damaged or not its own."""

MOST_EPOCHS = 1_000_000
READ_TRIES = 5
"""While a training saves, its checkpoint may be replaced between two parts' reading."""


@dataclass(frozen=True)
class CheckpointPart:
    """One of the five parts of a checkpoint; `epoch` is the one that trains next."""

    path: Path
    epoch: int
    content: dict[str, Any]


def read_checkpoint(
    folder: Path, name: str, parts: Sequence[str], *, optional: Sequence[str] = ()
) -> dict[str, CheckpointPart]:
    """Parts of one checkpoint that belong together, by their names; optional ones may be missing.

    Only tensors and plain containers are unpickled, after the file's check sums have been compared: those of the index
    where this version has saved it, else those inside the file.

    Raises:
        CheckpointError: a part is missing, damaged, something else, or of another epoch than the others.
    """
    _check_name(name)
    contents = _read_files(folder, name, parts, optional)
    found = {part: _parse(path, content) for part, (path, content) in contents.items()}
    if len({part.epoch for part in found.values()}) > 1:
        listed = ", ".join(f"{FOLDERS[name]} {part.epoch}" for name, part in found.items())
        raise CheckpointError(
            f"{folder}: the checkpoint {name} is of several epochs ({listed}), since a save was interrupted or files "
            f"were copied; {_way_back(folder, name)}"
        )
    return found


def saved_epoch(folder: Path, name: str = LATEST) -> int | None:
    """Epoch of a checkpoint, or None where there is none of this name; raises as `read_checkpoint`."""
    _check_name(name)
    if not valid_file(folder, "model", name, read_index(folder).get(name)).exists():
        return None
    return read_checkpoint(folder, name, ["model"])["model"].epoch


def entry(content: Mapping[str, Any], key: str, path: Path) -> Any:
    """An entry of a checkpoint's part that must be there."""
    if key not in content:
        raise CheckpointError(f"{path} has no {key}; found {', '.join(map(str, content)) or 'nothing'}")
    return content[key]


def tensors(value: Any, path: Path, key: str) -> dict[str, Tensor]:
    """An entry that must be a dict of names to tensors with finite numbers.

    Raises:
        CheckpointError: it is not; the message names the first entry that is something else.
    """
    if not isinstance(value, Mapping):
        raise CheckpointError(f"{path}: {key} is {described(value)}, expected a dict of tensors")
    for name, tensor in value.items():
        if not isinstance(name, str):
            raise CheckpointError(f"{path}: {key} has the key {name!r}, expected names")
        check_tensor(tensor, path, f"{key}: {name}")
    return dict(value)


def check_tensor(value: Any, path: Path | str, what: str) -> None:
    """Raise CheckpointError where a value is no dense tensor of finite real numbers."""
    if not isinstance(value, Tensor):
        raise CheckpointError(f"{path}: {what} is {described(value)}, expected a tensor")
    if value.layout is not torch.strided or value.is_meta or value.is_quantized or value.is_complex():
        raise CheckpointError(
            f"{path}: {what} is a tensor of {value.dtype} on {value.device}, layout {value.layout}; expected real "
            "numbers in a dense tensor"
        )
    bad = int((~torch.isfinite(value)).sum())
    if bad > 0:
        raise CheckpointError(
            f"{path}: {what} is not finite in {bad} of {value.numel()} values: it was saved by a training that had "
            "gone wrong, or damaged; use another checkpoint with --is_continue --checkpoint N"
        )


def load_model(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put a checkpoint's weights into a module, or say in what they differ from it."""
    expected = module.state_dict()
    missing, unexpected = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    both = [(name, state[name], expected[name]) for name in sorted(set(expected) & set(state))]
    differing = [f"{name} is {tuple(a.shape)}, expected {tuple(b.shape)}" for name, a, b in both if a.shape != b.shape]
    differing += [
        f"{name} holds {a.dtype}, expected {b.dtype}"
        for name, a, b in both
        if a.is_floating_point() != b.is_floating_point()
    ]
    if missing or unexpected or differing:
        found = [f"missing {', '.join(missing[:3])}"] * bool(missing)
        found += [f"unexpected {', '.join(unexpected[:3])}"] * bool(unexpected)
        found += differing[:3]
        raise CheckpointError(
            f"{path} does not fit this configuration: {'; '.join(found)}. It was trained with other "
            "networks: use the configuration that lies in its run folder"
        )
    module.load_state_dict(dict(state))


def described(value: Any) -> str:
    """A value that was not expected, short enough for a message."""
    if isinstance(value, Tensor):
        return f"a tensor of the shape {tuple(value.shape)}"
    if isinstance(value, str | int | float | None):
        return f"{value!r}"[:80]
    return f"a {type(value).__name__}"


def _check_name(name: str) -> None:
    if not is_name(name):
        raise CheckpointError(f"--checkpoint {shown(name)!r}: expected {LATEST} or the number of an epoch")


def _read_files(
    folder: Path, name: str, parts: Sequence[str], optional: Sequence[str]
) -> dict[str, tuple[Path, bytes]]:
    """Path and content of each part that is there; all of one save."""
    for _ in range(READ_TRIES):
        saved = read_index(folder).get(name)
        found = {part: _read_file(folder, part, name, saved) for part in (*parts, *optional)}
        changed = [part for part, (_, content) in found.items() if not _is_saved(saved, part, content)]
        if not changed or read_index(folder).get(name) == saved:
            break
    missing = [part for part in parts if found[part][1] is None]
    if missing:
        raise CheckpointError(f"{found[missing[0]][0]} does not exist; {_what_there_is(folder)}")
    there = {part: (path, content) for part, (path, content) in found.items() if content is not None}
    for part in changed:
        if part in there:
            logger.warning("%s was changed by another program since it was saved", there[part][0])
    for part, (path, content) in there.items():
        if saved is None or part in changed or part not in saved.digests:
            _check_archive(path, content)
    return there


def _read_file(folder: Path, part: str, name: str, saved: SavedCheckpoint | None) -> tuple[Path, bytes | None]:
    """None where the file is not there."""
    place = checkpoint_file(folder, part, name)
    # A staged file may be moved into its place at any moment.
    for path in (valid_file(folder, part, name, saved), place):
        try:
            return path, path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
    return place, None


def _is_saved(saved: SavedCheckpoint | None, part: str, content: bytes | None) -> bool:
    """Whether a part is what the index says, as far as it says anything."""
    if saved is None or part not in saved.digests:
        return True
    return content is not None and hashlib.sha256(content).hexdigest() == saved.digests[part]


def _check_archive(path: Path, content: bytes) -> None:
    """Compare the check sums inside a file, which torch does not; files of old versions of torch have none."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise zipfile.BadZipFile("compressed, as torch's files are not")
            damaged = archive.testzip()
    except (*UNREADABLE, zipfile.LargeZipFile) as error:
        raise _unreadable(path, error) from error
    if damaged is not None:
        raise _unreadable(path, ValueError(f"the check sum of {damaged} is wrong"))


def _parse(path: Path, content: bytes) -> CheckpointPart:
    try:
        tree = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path} holds a {type(tree).__name__}, expected a dict")
    epoch = entry(tree, "epoch", path)
    if type(epoch) is not int or not 0 <= epoch <= MOST_EPOCHS:
        raise CheckpointError(
            f"{path}: epoch is {described(epoch)}, expected a whole number from 0 to {MOST_EPOCHS}: it is damaged or "
            "something else; use another one with --checkpoint N"
        )
    return CheckpointPart(path, epoch, tree)


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    kind = type(error).__name__
    detail = f"{kind}: {error}" if isinstance(error, ValueError | zipfile.BadZipFile) else kind
    return CheckpointError(
        f"{path} cannot be read as a checkpoint ({' '.join(detail.split())}): it is damaged or something else; "
        "use another one with --checkpoint N"
    )


def _what_there_is(folder: Path) -> str:
    models = sorted(path.stem for path in (folder / FOLDERS["model"]).glob("[!.]*.pth"))
    if not models:
        return f"there is no checkpoint in {folder}; train first"
    return f"there are: {', '.join(models)}"


def _way_back(folder: Path, name: str) -> str:
    """Which other checkpoint to go on from: the last one that has all parts, of one epoch by its name."""
    whole = [
        int(path.stem)
        for path in (folder / FOLDERS["model"]).glob("[!.]*.pth")
        if path.stem.isdecimal()
        and path.stem != name
        and all(checkpoint_file(folder, part, path.stem).exists() for part in FOLDERS)
    ]
    return f"use --checkpoint {max(whole)}" if whole else "there is no other one: train anew in another folder"
