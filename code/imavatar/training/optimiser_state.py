"""The optimisers' states in the authors' checkpoints, to and from this project's parameter groups (SPEC section 12)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imavatar.errors import CheckpointError

N_HEAD_PARAMETERS = 2
"""Parameters 0 and 1 are the head model's `eye_pose` and `neck_pose`, which are never optimised."""

State = dict[str, Any]


def adam_state(optimiser: torch.optim.Adam, parameters: Sequence[nn.Parameter]) -> State:
    """One group of all parameters in the order given, numbered after the head model's two.

    Learning rates are a function of the epoch here: that of the first group stands for all.
    """
    group = {key: value for key, value in optimiser.state_dict()["param_groups"][0].items() if key != "params"}
    state = {}
    for number, parameter in enumerate(parameters, N_HEAD_PARAMETERS):
        if parameter in optimiser.state:
            moments = optimiser.state[parameter]
            state[number] = {**moments, "step": int(moments["step"])}
    return {"state": state, "param_groups": [{**group, "params": list(range(N_HEAD_PARAMETERS + len(parameters)))}]}


def load_adam_state(
    optimiser: torch.optim.Adam, parameters: Sequence[nn.Parameter], content: Mapping[str, Any], path: Path
) -> None:
    """Put a state such as `adam_state` writes into an optimiser whose groups may be others.

    Raises:
        CheckpointError: it is of other parameters.
    """
    groups, state = _parts(content, path)
    numbers = [number for group in groups for number in group["params"]]
    expected = N_HEAD_PARAMETERS + len(parameters)
    if len(groups) != 1 or len(numbers) != expected:
        raise CheckpointError(
            f"{path}: optimizer_state_dict has {len(numbers)} parameters in {len(groups)} group(s), expected "
            f"{expected} in one: those of the head model, then the networks'"
        )
    own = {parameter: number for number, parameter in enumerate(_own_order(optimiser))}
    moved = {}
    for number, parameter in zip(numbers[N_HEAD_PARAMETERS:], parameters, strict=True):
        if number in state:
            _check_moments(state[number], parameter, f"{path}: parameter {number}")
            moved[own[parameter]] = state[number]
    optimiser.load_state_dict({"state": moved, "param_groups": optimiser.state_dict()["param_groups"]})


def load_table_state(
    optimiser: torch.optim.SparseAdam, tables: Sequence[nn.Parameter], content: Mapping[str, Any], path: Path
) -> None:
    """Put the state of the per-frame tables into their optimiser: each goes to the table of its shape.

    Raises:
        CheckpointError: a table's shape is that of none, so it is of other frames.
    """
    _, state = _parts(content, path)
    numbers = {tuple(table.shape): number for number, table in enumerate(tables)}
    moved = {}
    for moments in state.values():
        shape = tuple(moments["exp_avg"].shape) if "exp_avg" in moments else None
        if shape not in numbers:
            raise CheckpointError(
                f"{path}: optimizer_cam_state_dict has a table of the shape {shape}, the run optimises tables of "
                f"{sorted(numbers)}; was it trained on other frames or with other train.optimize_* keys?"
            )
        moved[numbers[shape]] = moments
    optimiser.load_state_dict({"state": moved, "param_groups": optimiser.state_dict()["param_groups"]})


def _own_order(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _parts(content: Mapping[str, Any], path: Path) -> tuple[list[dict], dict]:
    if not isinstance(content, Mapping) or not {"state", "param_groups"} <= set(content):
        raise CheckpointError(f"{path}: holds no optimiser's state, a dict with state and param_groups")
    return content["param_groups"], content["state"]


def _check_moments(moments: Mapping[str, Tensor], parameter: Tensor, where: str) -> None:
    for name in ("exp_avg", "exp_avg_sq"):
        found = moments.get(name)
        if found is None or found.shape != parameter.shape:
            shape = "nothing" if found is None else tuple(found.shape)
            raise CheckpointError(f"{where}: {name} is {shape}, expected {tuple(parameter.shape)}")
