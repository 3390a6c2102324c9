"""The state of a run as the five parts of a checkpoint, and back."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.errors import CheckpointError
from imavatar.rendering.avatar import Avatar
from imavatar.training.checkpoints import checkpoint_file, load_model, load_part
from imavatar.training.loop import Run


def run_state(run: Run, epoch: int) -> dict[str, dict[str, Any]]:
    """All that a resumed run needs; the schedules are functions of the epoch and hold no state."""
    frame_state = None if run.frame_optimiser is None else run.frame_optimiser.state_dict()
    tables = {f"{name}_state_dict": t.state_dict() for name, t in run.frames.tables.items()}
    return {
        "model": {"epoch": epoch, "model_state_dict": run.avatar.state_dict()},
        "optimizer": {"epoch": epoch, "optimizer_state_dict": run.optimiser.state_dict()},
        "scheduler": {"epoch": epoch, "scheduler_state_dict": {"last_epoch": epoch}},
        "optimizer_inputs": {"epoch": epoch, "optimizer_cam_state_dict": frame_state},
        "inputs": {"epoch": epoch, **tables},
    }


def load_run(folder: Path, name: str, run: Run) -> int:
    """Put a checkpoint into a run; returns the epoch that trains next."""
    model = load_part(folder, "model", name)
    load_model(run.avatar, model["model_state_dict"], checkpoint_file(folder, "model", name))
    optimiser = load_part(folder, "optimizer", name)["optimizer_state_dict"]
    run.optimiser.load_state_dict(optimiser)
    inputs = load_part(folder, "inputs", name)
    for table_name, table in run.frames.tables.items():
        state = inputs[f"{table_name}_state_dict"]
        if state["weight"].shape != table.weight.shape:
            raise CheckpointError(
                f"{checkpoint_file(folder, 'inputs', name)}: {table_name} has the shape "
                f"{tuple(state['weight'].shape)}, expected {tuple(table.weight.shape)}; was the run "
                "trained on other frames?"
            )
        table.load_state_dict(state)
    frame_state = load_part(folder, "optimizer_inputs", name)["optimizer_cam_state_dict"]
    if run.frame_optimiser is not None and frame_state is not None:
        run.frame_optimiser.load_state_dict(frame_state)
    return int(model["epoch"])


def load_avatar(folder: Path, name: str, avatar: Avatar) -> tuple[int, Float[Tensor, "1 l"]]:
    """Put a checkpoint's weights into an avatar; returns its epoch and the first frame's latent code."""
    model = load_part(folder, "model", name)
    load_model(avatar, model["model_state_dict"], checkpoint_file(folder, "model", name))
    latent = torch.zeros(1, avatar.geometry.latent_size)
    if avatar.geometry.latent_size > 0:
        inputs = load_part(folder, "inputs", name)
        latent = inputs["latent_codes_state_dict"]["weight"][:1]
    return int(model["epoch"]), latent
