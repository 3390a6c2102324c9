"""The head model's part of a checkpoint: written as the authors' are, checked against the head in use."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from imavatar.anatomy import MM_PER_UNIT
from imavatar.errors import CheckpointError
from imavatar.head.flame import Flame

logger = logging.getLogger(__name__)

HEAD_PREFIXES = ("FLAMEServer.", "deformer_network.FLAMEServer.")
"""The authors' checkpoints hold the head model twice, once for each module that knows it."""

SAME_SHAPE = 0.01
"""Millimetres: what files in single precision may differ by."""
SAME_VALUES = 1e-4

State = dict[str, Tensor]


def head_entries(flame: Flame) -> State:
    """The head model under the names of the authors' checkpoints (shares memory)."""
    return {prefix + name: value for prefix in HEAD_PREFIXES for name, value in flame.state_dict().items()}


def split_head(state: State) -> tuple[State, State]:
    """A checkpoint's fields, and its head model without prefix (empty where it holds none)."""
    fields = {name: value for name, value in state.items() if not name.startswith(HEAD_PREFIXES)}
    prefix = HEAD_PREFIXES[0]
    return fields, {name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)}


def shape_distance(template: Tensor, other: Tensor) -> tuple[float, float]:
    """Mean and largest distance of corresponding vertices [v, 3], model units in, millimetres out."""
    distance = (template.cpu() - other.cpu()).norm(dim=-1) * MM_PER_UNIT
    return float(distance.mean()), float(distance.max())


def check_topology(head: State, flame: Flame, path: Path | str) -> None:
    """Whether a checkpoint's head model is of the same faces, and how far its blendshapes differ (a warning).

    Raises:
        CheckpointError: another topology: nothing that the fields learned has a meaning on this head.
    """
    faces, template = head.get("faces_tensor"), head.get("v_template")
    same = template is None or template.shape == flame.v_template.shape
    if faces is not None:
        same &= faces.shape == flame.faces_tensor.shape and torch.equal(faces.cpu(), flame.faces_tensor.cpu())
    if not same:
        found = "another topology" if faces is None or template is None else _size(template, faces)
        raise CheckpointError(
            f"{path}: FLAMEServer.faces_tensor is of another head model ({found}; the head in use has "
            f"{_size(flame.v_template, flame.faces_tensor)}): name the head that it was trained with in "
            "model.head_model"
        )
    differing = _differing(head, flame)
    if differing:
        logger.warning("%s: the head in use has the same faces but other values of %s", path, ", ".join(differing))


def check_shape(template: Tensor | None, flame: Flame, where: str) -> None:
    """Warn where the subject's shape [v, 3], model units, is not that of the head in use."""
    if template is None:
        return
    mean, largest = shape_distance(template, flame.v_template)
    if largest > SAME_SHAPE:
        message = "%s: the shape of the head differs from that in use by %.2f mm on average, %.2f mm at most"
        logger.warning(message, where, mean, largest)


def _differing(head: State, flame: Flame) -> list[str]:
    """Buffers of the head, by name, whose values or sizes are not those in use; the shape is left out."""
    differing = []
    for name in ("shapedirs", "posedirs", "J_regressor", "lbs_weights", "parents"):
        found, expected = head.get(name), getattr(flame, name).cpu()
        if found is None:
            continue
        if name == "shapedirs" and found.ndim == 3:
            found, expected = found[..., -flame.n_expression :], flame.expression_dirs.cpu()
        if found.shape != expected.shape:
            differing.append(f"{name} ({tuple(found.shape)} instead of {tuple(expected.shape)})")
        elif (distance := float((found.cpu() - expected).abs().max())) > SAME_VALUES:
            differing.append(f"{name} (by up to {distance:.3g})")
    return differing


def _size(template: Tensor, faces: Tensor) -> str:
    return f"{len(template)} vertices, {len(faces)} faces"
