"""A folder of recorded inputs and outputs: a head model, a checkpoint in the authors' format, arrays by name."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets, load_head
from imavatar.training.checkpoints import UNREADABLE

HEAD_NAMES = ("head_model.npz", "head_model.pkl")
CHECKPOINT_NAME = "reference_checkpoint.pth"
OUTPUTS_NAME = "reference_outputs.npz"

Arrays = dict[str, Tensor]


@dataclass(frozen=True)
class Fixture:
    """What a folder holds. `outputs` are named `<group>/<name>`, as `in/uv` or `train_X/loss/rgb_loss`."""

    folder: Path
    head: HeadAssets
    state: Arrays
    outputs: Arrays

    def group(self, name: str) -> Arrays:
        """Arrays of one group without its prefix; empty where it is missing."""
        prefix = f"{name}/"
        return {key.removeprefix(prefix): value for key, value in self.outputs.items() if key.startswith(prefix)}

    @property
    def variants(self) -> list[str]:
        """Suffixes of the passes that are recorded: '' for `in`, `eval`, `train`, '_X' for `in_X`, `train_X`."""
        found = set()
        for group in {key.split("/")[0] for key in self.outputs}:
            for kind in ("in", "eval", "train"):
                if group == kind or group.startswith(f"{kind}_"):
                    found.add(group.removeprefix(kind))
        return sorted(found)

    def inputs(self, variant: str) -> Arrays:
        """The inputs of a variant: those of `in`, overridden by its own."""
        return {**self.group("in"), **(self.group(f"in{variant}") if variant else {})}


def load_fixture(folder: Path) -> Fixture:
    """Read a folder laid out like the one of recorded outputs; raises DataError naming what is missing or damaged."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; expected one with {HEAD_NAMES[0]}, {CHECKPOINT_NAME}, {OUTPUTS_NAME}"
        )
    heads = [folder / name for name in HEAD_NAMES if (folder / name).is_file()]
    if not heads:
        raise DataError(f"{folder}: holds no head model; expected {' or '.join(HEAD_NAMES)}")
    for name in (CHECKPOINT_NAME, OUTPUTS_NAME):
        if not (folder / name).is_file():
            raise DataError(f"{folder / name}: no such file")
    return Fixture(
        folder=folder,
        head=load_head(heads[0]),
        state=_load_state(folder / CHECKPOINT_NAME),
        outputs=_load_outputs(folder / OUTPUTS_NAME),
    )


def _load_state(path: Path) -> Arrays:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return dict(content["model_state_dict"])
    except UNREADABLE as error:
        raise DataError(
            f"{path}: is not a checkpoint in the authors' format, a dict with `model_state_dict` ({error})"
        ) from error


def _load_outputs(path: Path) -> Arrays:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: torch.from_numpy(np.asarray(stored[key])) for key in stored.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as an npz file of arrays ({error})") from error
    unknown = sorted(key for key in arrays if "/" not in key)
    if unknown:
        raise DataError(f"{path}: {unknown[0]!r} is in no group; expected names such as in/uv")
    return arrays
