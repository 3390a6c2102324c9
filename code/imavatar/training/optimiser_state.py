"""The optimisers' states in the authors' checkpoints (docs/checkpoints.md, section 2), to and from parameter groups."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imavatar.errors import CheckpointError
from imavatar.training.checkpoints import check_tensor, described

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
    optimiser: torch.optim.Adam, parameters: Sequence[nn.Parameter], content: object, path: Path | str
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
    optimised = (parameter for group in optimiser.param_groups for parameter in group["params"])
    own = {parameter: number for number, parameter in enumerate(optimised)}
    moved = {}
    for number, parameter in zip(numbers[N_HEAD_PARAMETERS:], parameters, strict=True):
        if number in state:
            _check_moments(state[number], parameter.shape, path, f"parameter {number}")
            moved[own[parameter]] = state[number]
    optimiser.load_state_dict({"state": moved, "param_groups": optimiser.state_dict()["param_groups"]})


def load_table_state(
    optimiser: torch.optim.SparseAdam, tables: Sequence[nn.Parameter], content: object, path: Path | str
) -> None:
    """Put the state of the per-frame tables into their optimiser: each goes to the table of its shape.

    Raises:
        CheckpointError: a table's shape is that of none, so it is of other frames.
    """
    _, state = _parts(content, path)
    numbers = {tuple(table.shape): number for number, table in enumerate(tables)}
    moved = {}
    for moments in state.values():
        mean = moments.get("exp_avg")
        shape = tuple(mean.shape) if isinstance(mean, Tensor) else f"(exp_avg is {described(mean)})"
        if shape not in numbers:
            raise CheckpointError(
                f"{path}: optimizer_cam_state_dict has a table of the shape {shape}, the run optimises tables of "
                f"{sorted(numbers)}; was it trained on other frames or with other train.optimize_* keys?"
            )
        _check_moments(moments, torch.Size(shape), path, f"the table of the shape {shape}")
        moved[numbers[shape]] = moments
    optimiser.load_state_dict({"state": moved, "param_groups": optimiser.state_dict()["param_groups"]})


def _parts(content: object, path: Path | str) -> tuple[list[dict], dict]:
    """Parameter groups and state of an optimiser, each of the kind that torch saves."""
    if not isinstance(content, Mapping) or not {"state", "param_groups"} <= set(content):
        raise CheckpointError(f"{path}: holds no optimiser's state, a dict with state and param_groups")
    groups, state = content["param_groups"], content["state"]
    if not isinstance(state, Mapping) or not all(isinstance(moments, Mapping) for moments in state.values()):
        raise CheckpointError(f"{path}: state is {described(state)}, expected a dict of dicts")
    if not isinstance(groups, Sequence) or not all(_is_group(group) for group in groups):
        raise CheckpointError(f"{path}: param_groups is {described(groups)}, expected dicts with a list of numbers")
    return list(groups), dict(state)


def _is_group(group: Any) -> bool:
    params = group.get("params") if isinstance(group, Mapping) else None
    return isinstance(params, list) and all(type(number) is int for number in params)


def _check_moments(moments: Mapping[str, Any], shape: torch.Size, path: Path | str, what: str) -> None:
    """Raise where a parameter's moments are not what Adam has made of it."""
    for name in ("exp_avg", "exp_avg_sq"):
        found = moments.get(name)
        if not isinstance(found, Tensor) or found.shape != shape:
            is_it = tuple(found.shape) if isinstance(found, Tensor) else described(found)
            raise CheckpointError(f"{path}: {what}: {name} is {is_it}, expected {tuple(shape)}")
        check_tensor(found, path, f"{what}: {name}")
    step = moments.get("step")
    step = step.item() if isinstance(step, Tensor) and step.numel() == 1 and not step.is_complex() else step
    if not isinstance(step, int | float) or not 0 <= step < float("inf"):
        raise CheckpointError(f"{path}: {what}: step is {described(step)}, expected a number of steps")
