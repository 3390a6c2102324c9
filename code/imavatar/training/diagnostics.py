"""What says how a run is: counts of every step, logged once an epoch, and the first tensor that is not finite."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from imavatar.errors import TrainingError
from imavatar.losses import LossTerms
from imavatar.rendering.avatar import Avatar
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.training.frame_parameters import FrameParameters
from imavatar.types import Batch, PosedHead, RayBundle, RenderOutput, RootStatistics, SurfaceHits, TensorRecord

Named = Iterator[tuple[str, Tensor]]

QUANTILES = {"residual_median": 0.5, "residual_90": 0.9, "residual_99": 0.99}

NOTHING_HIT = (
    "no ray has hit the surface for a whole epoch, so that nothing can be learned: the head is not where the cameras "
    "look, or the surface has vanished. Draw the data with scripts/check_data.py; check world_mat, intrinsics and "
    "model.ray_tracer.object_bounding_sphere; start from the head with train.warm_start_steps; lower the learning rate"
)


class EpochDiagnostics:
    """Shares and quantiles over all steps of an epoch; everything stays on its device until `scalars`."""

    def __init__(self):
        self._counts: dict[str, list[Tensor]] = {}
        self._residuals: list[Tensor] = []

    @torch.no_grad()
    def add(self, hits: SurfaceHits, foreground: Bool[Tensor, " n"], quality: RootStatistics) -> None:
        """Count a step's rays and the points with an implicit gradient."""
        for name, rows in (
            ("rays", torch.ones_like(hits.hit)),
            ("converged", hits.converged),
            ("hit", hits.hit),
            ("foreground", foreground),
            ("hit_foreground", hits.hit & foreground),
            ("singular", quality.singular),
        ):
            self._counts.setdefault(name, []).append(rows.sum())
        self._residuals.append(quality.residual)

    def scalars(self, processes: Processes = SINGLE_PROCESS) -> dict[str, float]:
        """Shares of all processes' rays, quantiles of this one's residuals (model units), singular Jacobians.

        Raises:
            TrainingError: nothing was hit.
        """
        own = [torch.stack(parts).sum().double() for parts in self._counts.values()]
        totals = processes.total(torch.stack(own)) if own else ()
        counts = dict(zip(self._counts, (int(total) for total in totals), strict=True))
        if counts.get("hit", 0) == 0:
            raise TrainingError(NOTHING_HIT)
        scalars = {
            "converged": counts["converged"] / counts["rays"],
            "hit": counts["hit"] / counts["rays"],
            "hit_foreground": counts["hit_foreground"] / max(1, counts["foreground"]),
            "singular": float(counts["singular"]),
        }
        residuals = torch.cat(self._residuals)
        if len(residuals) > 0:
            ordered = residuals.sort().values
            for name, share in QUANTILES.items():
                scalars[name] = float(ordered[round(share * (len(ordered) - 1))])
        return scalars


def health_line(scalars: dict[str, float]) -> str:
    """The diagnosis of an epoch in one line."""
    parts = [f"rays hit {scalars['hit']:.1%} (of the mask {scalars['hit_foreground']:.1%})"]
    parts.append(f"converged {scalars['converged']:.1%}")
    if "residual_median" in scalars:
        parts.append(f"residual (50/90/99 %) {'/'.join(f'{scalars[name]:.0e}' for name in QUANTILES)}")
    parts.append(f"singular {scalars['singular']:.0f}")
    if "proxy_drift" in scalars:
        moved, made, seconds, drift = (scalars[f"proxy_{name}"] for name in ("moved", "rebuilt", "seconds", "drift"))
        parts.append(f"proxy moved {moved:.0f}x, made {made:.0f}x in {seconds:.1f} s, off by {drift:.2f} cells at most")
    return ", ".join(parts)


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
