"""The first tensor of a step that is not finite, in the order in which data flows."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from imavatar.errors import TrainingError
from imavatar.losses import LossTerms
from imavatar.rendering.avatar import Avatar
from imavatar.training.frame_parameters import FrameParameters
from imavatar.types import Batch, PosedHead, RayBundle, RenderOutput, SurfaceHits, TensorRecord

Named = Iterator[tuple[str, Tensor]]


class NotFiniteError(TrainingError):
    """A step's loss or gradient is not finite."""


@dataclass(frozen=True)
class StepTensors:
    """Everything that a step computes, from what it reads to its loss."""

    batch: Batch
    posed: PosedHead
    rays: RayBundle
    hits: SurfaceHits
    render: RenderOutput
    terms: LossTerms


def first_not_finite(avatar: Avatar, frames: FrameParameters, step: StepTensors) -> str:
    """Name of the first tensor that is not finite, and how much of it is not."""
    for name, tensor in _in_order(avatar, frames, step):
        bad = int((~torch.isfinite(tensor)).sum())
        if bad > 0:
            return f"{name}: {bad} of {tensor.numel()} values are not finite"
    return "the sum of the loss terms overflows, each of them is finite"


def parameters_not_finite(*modules: nn.Module) -> str | None:
    """Name of the first parameter that is not finite, or None."""
    for module in modules:
        for name, parameter in module.named_parameters():
            if not bool(torch.isfinite(parameter).all()):
                return name
    return None


def gradients_finite(parameters: list[nn.Parameter]) -> bool:
    """Whether the gradients of parameters, dense or sparse, are finite."""
    return all(bool(torch.isfinite(_values(p.grad)).all()) for p in parameters if p.grad is not None)


def _in_order(avatar: Avatar, frames: FrameParameters, step: StepTensors) -> Named:
    batch, hits, render = step.batch, step.hits, step.render
    yield "the images' colours", batch.rgb
    if batch.semantics is not None:
        yield "the semantic maps", batch.semantics
    yield from _record("the data set's camera", batch.camera)
    for name, parameter in frames.named_parameters():
        yield f"per-frame parameter {name}", parameter
    for name, parameter in avatar.named_parameters():
        yield f"weight {name}", parameter
    yield from _record("posed head", step.posed)
    yield from _record("rays", step.rays)
    found = hits.hit | hits.converged
    yield from _record("surface search", hits[found])
    for name in ("x_c", "geometry_gradient"):
        yield f"rendering: {name}", getattr(render, name)
    yield from _record("deformer", render.fields)
    yield "rendering: residual", render.root_statistics.residual
    yield "rendering: sdf", render.sdf[found]
    yield "rendering: normal", render.normal
    yield "rendering: rgb", render.rgb
    for name, value in step.terms.values.items():
        yield f"loss term {name}", value
    for name, parameter in (*frames.named_parameters(), *avatar.named_parameters()):
        if parameter.grad is not None:
            yield f"gradient of {name}", _values(parameter.grad)


def _record(prefix: str, record: TensorRecord) -> Named:
    for field in fields(record):
        yield f"{prefix}: {field.name}", getattr(record, field.name)


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient
