"""The state of a run as the five parts of a checkpoint, and back."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from imavatar.errors import CheckpointError
from imavatar.training.checkpoint_head import check_shape, check_topology, head_entries, split_head
from imavatar.training.checkpoints import checkpoint_file, entry, load_model, load_part
from imavatar.training.frame_parameters import FrameParameters
from imavatar.training.optimiser_state import adam_state, load_adam_state, load_table_state
from imavatar.training.step import Run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelCheckpoint:
    """The model's part of a checkpoint: the fields' weights, and the head model's buffers where it holds them.

    `epoch` is the one that trains next.
    """

    path: Path
    epoch: int
    fields: dict[str, Tensor]
    head: dict[str, Tensor]


def run_state(run: Run, epoch: int) -> dict[str, dict[str, Any]]:
    """All that a resumed run needs, in the authors' format; the schedules are functions of the epoch."""
    frame_state = None if run.frame_optimiser is None else run.frame_optimiser.state_dict()
    tables = {f"{name}_state_dict": t.state_dict() for name, t in run.frames.tables.items()}
    optimiser = adam_state(run.optimiser, list(run.avatar.parameters()))
    return {
        "model": {"epoch": epoch, "model_state_dict": {**run.avatar.state_dict(), **head_entries(run.flame)}},
        "optimizer": {"epoch": epoch, "optimizer_state_dict": optimiser},
        "scheduler": {"epoch": epoch, "scheduler_state_dict": {"last_epoch": epoch}},
        "optimizer_inputs": {"epoch": epoch, "optimizer_cam_state_dict": frame_state},
        "inputs": {"epoch": epoch, **tables},
    }


def read_model(folder: Path, name: str) -> ModelCheckpoint:
    """The model's part of a checkpoint of this project or of the authors'."""
    path = checkpoint_file(folder, "model", name)
    content = load_part(folder, "model", name)
    fields, head = split_head(dict(entry(content, "model_state_dict", path)))
    return ModelCheckpoint(path, int(entry(content, "epoch", path)), fields, head)


def load_run(folder: Path, name: str, run: Run, *, foreign: bool = False) -> int:
    """Put a checkpoint into a run; returns the epoch that trains next.

    Args:
        foreign: the checkpoint is of another run: where it lacks the optimisers' states or the frames' parameters, or
            has those of other frames, these start anew, with a warning.

    Raises:
        CheckpointError: it is damaged, or of other networks, another head model or other frames.
    """
    model = read_model(folder, name)
    check_topology(model.head, run.flame, model.path)
    check_shape(model.head.get("v_template"), run.flame, str(model.path))
    load_model(run.avatar, model.fields, model.path)
    for part, load in (
        ("optimizer", _load_optimiser),
        ("inputs", lambda run, content, path: load_tables(run.frames, content, path)),
        ("optimizer_inputs", _load_frame_optimiser),
    ):
        path = checkpoint_file(folder, part, name)
        if foreign and not path.exists():
            logger.warning("%s is not there: what it would hold starts anew", path)
            continue
        content = load_part(folder, part, name)
        try:
            load(run, content, path)
        except OtherFrames as error:
            if not foreign:
                raise
            logger.warning("%s: what it holds starts anew", error)
    return model.epoch


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
        weight = entry(state, "weight", path)
        if weight.shape != table.weight.shape:
            raise OtherFrames(
                f"{path}: {name} has the shape {tuple(weight.shape)}, expected {tuple(table.weight.shape)}; was it "
                "trained on other frames?"
            )
        found[name] = state
    for name, state in found.items():
        frames.tables[name].load_state_dict(state)


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
