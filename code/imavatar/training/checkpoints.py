"""The reference's checkpoint folders: written atomically, read strictly (SPEC section 12)."""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imavatar.errors import CheckpointError

LATEST = "latest"
UNREADABLE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    pickle.UnpicklingError,
)
"""What torch raises for a file that is damaged or not its own."""

FOLDERS = {
    "model": "ModelParameters",
    "optimizer": "OptimizerParameters",
    "scheduler": "SchedulerParameters",
    "optimizer_inputs": "OptimizerInputs",
    "inputs": "InputParameters",
}


def checkpoint_file(folder: Path, part: str, name: str) -> Path:
    """Where one of the five parts of checkpoint `name` (an epoch or `latest`) stands."""
    return folder / FOLDERS[part] / f"{name}.pth"


def save_checkpoint(folder: Path, names: list[str], parts: Mapping[str, dict[str, Any]]) -> None:
    """Write all parts under each name; the model's file last, since a checkpoint is found by it."""
    for name in names:
        for part in (*(p for p in parts if p != "model"), "model"):
            _save_atomically(parts[part], checkpoint_file(folder, part, name))


def load_part(folder: Path, part: str, name: str) -> dict[str, Any]:
    """One part of a checkpoint; only tensors and plain containers are unpickled."""
    path = checkpoint_file(folder, part, name)
    if not path.exists():
        raise CheckpointError(f"{path} does not exist; {_what_there_is(folder)}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): it is damaged or "
            "something else; use another one with --checkpoint N"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, expected a dict")
    return content


def saved_epoch(folder: Path, name: str = LATEST) -> int | None:
    """Epoch of a checkpoint, or None where there is none of this name."""
    if not checkpoint_file(folder, "model", name).exists():
        return None
    path = checkpoint_file(folder, "model", name)
    return int(entry(load_part(folder, "model", name), "epoch", path))


def entry(content: Mapping[str, Any], key: str, path: Path) -> Any:
    """An entry of a checkpoint's part that must be there."""
    if key not in content:
        found = ", ".join(map(str, content)) or "nothing"
        raise CheckpointError(f"{path} has no {key}; found {found}")
    return content[key]


def load_model(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put a checkpoint's weights into a module, or say in what they differ from it."""
    expected = module.state_dict()
    missing = sorted(set(expected) - set(state))
    unexpected = sorted(set(state) - set(expected))
    shapes = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in sorted(set(expected) & set(state))
        if state[name].shape != expected[name].shape
    ]
    if missing or unexpected or shapes:
        found = [f"missing {', '.join(missing[:3])}"] * bool(missing)
        found += [f"unexpected {', '.join(unexpected[:3])}"] * bool(unexpected)
        found += shapes[:3]
        raise CheckpointError(
            f"{path} does not fit this configuration: {'; '.join(found)}. It was trained with other "
            "networks: use the configuration that lies in its run folder"
        )
    module.load_state_dict(dict(state))


def _what_there_is(folder: Path) -> str:
    models = sorted(path.stem for path in (folder / FOLDERS["model"]).glob("*.pth"))
    if not models:
        return f"there is no checkpoint in {folder}; train first"
    return f"there are: {', '.join(models)}"


def _save_atomically(content: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    os.replace(temporary, path)
