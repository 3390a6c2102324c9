"""The state of a run as the five parts of a checkpoint, and back; which are saved and kept while it trains."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.errors import CheckpointError
from imavatar.training.checkpoint_files import FOLDERS, LATEST, checkpoint_file, save_checkpoint
from imavatar.training.checkpoint_head import check_shape, check_topology, head_entries, split_head
from imavatar.training.checkpoints import CheckpointPart, entry, load_model, read_checkpoint, tensors
from imavatar.training.frame_parameters import FrameParameters
from imavatar.training.optimiser_state import adam_state, load_adam_state, load_table_state
from imavatar.training.step import Run

logger = logging.getLogger(__name__)

ADVICE = "lower train.learning_rate or set train.gradient_limit = 3"


@dataclass(frozen=True)
class ModelCheckpoint:
    """A checkpoint's weights of the fields and, where it holds them, the head model's buffers; `epoch` trains next."""

    path: Path
    epoch: int
    fields: dict[str, Tensor]
    head: dict[str, Tensor]


def run_state(run: Run, epoch: int) -> dict[str, dict[str, Any]]:
    """All that a resumed run needs, in the authors' format; the schedules are functions of the epoch."""
    frame_state = None if run.frame_optimiser is None else run.frame_optimiser.state_dict()
    tables = {f"{name}_state_dict": t.state_dict() for name, t in run.frames.tables.items()}
    return {
        "model": {"epoch": epoch, "model_state_dict": {**run.avatar.state_dict(), **head_entries(run.flame)}},
        "optimizer": {"epoch": epoch, "optimizer_state_dict": adam_state(run.optimiser, list(run.avatar.parameters()))},
        "scheduler": {"epoch": epoch, "scheduler_state_dict": {"last_epoch": epoch}},
        "optimizer_inputs": {"epoch": epoch, "optimizer_cam_state_dict": frame_state},
        "inputs": {"epoch": epoch, **tables},
    }


def read_trained(folder: Path, name: str, latent_size: int) -> tuple[ModelCheckpoint, Float[Tensor, "1 l"]]:
    """The model, and the latent code of the first training frame, which stands for unseen ones; of one epoch.

    Raises:
        CheckpointError: a part is missing, damaged, of another epoch, or holds something else than tensors of finite
            numbers; or there are no codes of this size (0: none are looked for).
    """
    parts = read_checkpoint(folder, name, ["model"] + ["inputs"] * bool(latent_size))
    model = _model_of(parts["model"])
    if latent_size == 0:
        return model, torch.zeros(1, 0)
    part = parts["inputs"]
    weight = _table(entry(part.content, "latent_codes_state_dict", part.path), part.path, "latent_codes")
    if weight.ndim != 2 or len(weight) == 0 or weight.shape[1] != latent_size:
        raise CheckpointError(
            f"{part.path}: latent_codes has the shape {tuple(weight.shape)}, expected a row of {latent_size} for each "
            "frame"
        )
    return model, weight[:1]


def load_run(folder: Path, name: str, run: Run, *, foreign: bool = False) -> int:
    """Put a checkpoint into a run; returns the epoch that trains next.

    Args:
        foreign: the checkpoint is of another run: where it lacks the optimisers' states or the frames' parameters, or
            has those of other frames, these start anew, with a warning.

    Raises:
        CheckpointError: it is damaged, of several epochs, or of other networks, another head model or other frames.
    """
    loaders = {
        "optimizer": _load_optimiser,
        "inputs": lambda run, content, path: load_tables(run.frames, content, path),
        "optimizer_inputs": _load_frame_optimiser,
    }
    needed = ["model"] if foreign else ["model", *loaders]
    parts = read_checkpoint(folder, name, needed, optional=[part for part in FOLDERS if part not in needed])
    check_content(parts)
    model = _model_of(parts["model"])
    check_topology(model.head, run.flame, model.path)
    check_shape(model.head.get("v_template"), run.flame, str(model.path))
    load_model(run.avatar, model.fields, model.path)
    for part, load in loaders.items():
        if part not in parts:
            missing = checkpoint_file(folder, part, name)
            logger.warning("%s is not there: what it would hold starts anew", missing)
            continue
        try:
            load(run, parts[part].content, parts[part].path)
        except OtherFrames as error:
            if not foreign:
                raise
            logger.warning("%s: what it holds starts anew", error)
    return model.epoch


def check_content(parts: Mapping[str, CheckpointPart]) -> None:
    """Whether the model and the frames' parameters are tensors of finite numbers.

    Raises:
        CheckpointError: they are not; the message names the entry.
    """
    for part in (parts[name] for name in ("model", "inputs") if name in parts):
        for key, value in part.content.items():
            # An empty one stands for a table that the run does not have.
            if key.endswith("_state_dict") and value:
                tensors(value, part.path, key)


def _model_of(part: CheckpointPart) -> ModelCheckpoint:
    state = tensors(entry(part.content, "model_state_dict", part.path), part.path, "model_state_dict")
    fields, head = split_head(state)
    return ModelCheckpoint(part.path, part.epoch, fields, head)


def _table(state: Any, path: Path, name: str) -> Tensor:
    return entry(tensors(state, path, f"{name}_state_dict"), "weight", path)


class OtherFrames(CheckpointError):
    """Per-frame parameters of other frames than those of the data set."""


def load_tables(frames: FrameParameters, content: Mapping[str, Any], path: Path) -> None:
    """Per-frame parameters from a checkpoint's `inputs`; a table that it lacks keeps what was tracked.

    Raises:
        OtherFrames: a table has another size; none is changed then.
    """
    found = {}
    for name, table in frames.tables.items():
        state = content.get(f"{name}_state_dict")
        if not state:
            continue
        weight = _table(state, path, name)
        if weight.shape != table.weight.shape:
            raise OtherFrames(
                f"{path}: {name} has the shape {tuple(weight.shape)}, expected {tuple(table.weight.shape)}; was it "
                "trained on other frames?"
            )
        found[name] = weight
    for name, weight in found.items():
        frames.tables[name].load_state_dict({"weight": weight})


def _load_optimiser(run: Run, content: Mapping[str, Any], path: Path) -> None:
    state = entry(content, "optimizer_state_dict", path)
    load_adam_state(run.optimiser, list(run.avatar.parameters()), state, path)


def _load_frame_optimiser(run: Run, content: Mapping[str, Any], path: Path) -> None:
    state = content.get("optimizer_cam_state_dict")
    if run.frame_optimiser is None or state is None:
        return
    try:
        load_table_state(run.frame_optimiser, run.frames.trainable(), state, path)
    except CheckpointError as error:
        raise OtherFrames(str(error)) from error


class RunCheckpoints:
    """Saves a run before every epoch, and by number too before every so many; for the process that holds its lock."""

    def __init__(self, folder: Path, run: Run, *, every: int):
        self._folder, self._run, self._every = folder, run, every
        self._latest: int | None = None
        self._sound: int | None = None

    def save(self, epoch: int, *, sound: bool = True) -> None:
        """Save before an epoch; the last sound checkpoint stays, by number where `latest` is no longer it.

        An avatar is sound that shows the person, as far as that is known.

        Raises:
            CheckpointError: it cannot be written; the checkpoints are what they were.
        """
        names = [LATEST, str(epoch)] if epoch % self._every == 0 else [LATEST]
        keep = None if sound or self._sound is None or self._sound != self._latest else str(self._sound)
        save_checkpoint(self._folder, names, run_state(self._run, epoch), keep=keep)
        self._latest = epoch
        if sound:
            self._sound = epoch
        elif keep is not None:
            logger.warning(
                "the last epoch has made the avatar much worse; the checkpoint from before it is kept: --checkpoint %s",
                keep,
            )

    def way_back(self) -> str:
        """What to go on from after an error, in words; said of a checkpoint that has been read again, and is whole."""
        if self._sound is None:
            return "no checkpoint of this training is known to be good"
        name = LATEST if self._sound == self._latest else str(self._sound)
        try:
            check_content(read_checkpoint(self._folder, name, list(FOLDERS)))
        except CheckpointError as error:
            return f"the last good checkpoint cannot be used: {error}"
        option = "" if name == LATEST else f" --checkpoint {name}"
        return (
            f"the checkpoint `{name}`, from before epoch {self._sound + 1}, was read and is good: {ADVICE} and go on "
            f"with --is_continue{option}, from an earlier epoch N with --checkpoint N"
        )
