"""One step of training, and nothing else."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.fields.mlp import cached_weights
from imavatar.head.flame import Flame
from imavatar.losses import LossTerms, has_mask_gradient
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.camera import cast_rays
from imavatar.settings import STEPS, WEIGHT, key
from imavatar.training import diagnostics
from imavatar.training.diagnostics import EpochDiagnostics, NotFiniteError, StepTensors
from imavatar.training.distributed import SINGLE_PROCESS, Processes
from imavatar.training.frame_parameters import FrameParameters
from imavatar.training.objective import LossWeights, Objective
from imavatar.types import Batch, PosedHead, RayBundle, SurfaceHits


@dataclass(frozen=True)
class StepOptions:
    """How a step differs from the paper's.

    Attributes:
        texture_only_steps: how many steps, from this one on, there are in which colours teach the texture alone.
        gradient_limit: see `clip_to_running_norm`; 0: none.
        recentre_frame_params: see `FrameParameters.centre`.
        condition_noise: noise on what the texture's colours depend on, in standard deviations over the frames: colours
            then depend on no single number of it, and stay plausible beyond the expressions that were seen. 0: none.
    """

    texture_only_steps: int = key(0, STEPS)
    gradient_limit: float = key(0.0, WEIGHT)
    condition_noise: float = key(0.0, WEIGHT)
    recentre_frame_params: bool = False

    def after(self, n_steps: int) -> "StepOptions":
        """What holds for a step that comes after so many others."""
        return replace(self, texture_only_steps=max(0, self.texture_only_steps - n_steps))


@dataclass
class Run:
    """What a run trains, and the learning rates that the schedule's factor multiplies.

    With `anneals_bands` the octaves of the geometry's encoding open one by one, one an epoch.
    """

    avatar: Avatar
    flame: Flame
    frames: FrameParameters
    optimiser: torch.optim.Optimizer
    frame_optimiser: torch.optim.Optimizer | None
    rates: list[float]
    frame_rate: float
    processes: Processes = SINGLE_PROCESS
    anneals_bands: bool = False


class StepLosses(nn.Module):
    """From a step's rays to its loss terms: what is wrapped where several processes train one avatar.

    The gradients of an avatar's weights are then those of the mean over the processes, which is what a single one would
    find with all rays.
    """

    def __init__(self, avatar: Avatar, objective: Objective):
        super().__init__()
        self.avatar = avatar
        self.objective = objective

    def forward(
        self,
        batch: Batch,
        posed: PosedHead,
        rays: RayBundle,
        deviations: dict[str, Tensor],
        weights: LossWeights,
        generator: torch.Generator,
        options: StepOptions,
    ) -> StepTensors:
        """The surface is searched for, shaded, and compared with the batch; see `Objective.terms`."""
        # One evaluation after another uses the same weights until the optimiser has moved them.
        with cached_weights(self.avatar):
            hits = self.avatar.find_surface(rays.detach(), posed.detach(), batch.foreground)
            render = self.avatar.shade(
                rays,
                posed,
                hits,
                hits.hit & batch.foreground,
                wants_sdf=has_mask_gradient(hits, batch.foreground, weights.alpha),
                colour_trains_geometry=options.texture_only_steps == 0,
            )
            head = posed[:1].detach()
            terms = self.objective.terms(self.avatar, render, batch, deviations, weights, generator, head)
        return StepTensors(batch, posed, rays, hits, render, terms)


def training_step(
    run: Run,
    losses: nn.Module,
    batch: Batch,
    weights: LossWeights,
    generator: torch.Generator,
    options: StepOptions = StepOptions(),
    health: EpochDiagnostics | None = None,
) -> dict[str, float]:
    """One step of both optimisers; returns what is logged, of this process's rays.

    Args:
        losses: a `StepLosses` of the run, wrapped by `Processes.wrap_ddp`.
        batch: the rays of all processes.

    Raises:
        NotFiniteError: the loss or a gradient is not finite; no step is made then.
    """
    batch = run.processes.shard_rays(batch).to(run.flame.v_template.device)
    posed = run.flame(run.frames.head(batch.frame), run.frames.latent(batch.frame))
    if options.condition_noise > 0:
        noise = torch.randn(posed.texture_condition.shape, generator=generator).to(posed.texture_condition)
        noise = options.condition_noise * run.frames.condition_std() * noise
        posed = replace(posed, texture_condition=posed.texture_condition + noise)
    rays = cast_rays(run.frames.camera(batch.frame, batch.camera), batch.pixels, batch.rays_frame)
    tensors = losses(batch, posed, rays, run.frames.deviations(batch.frame), weights, generator, options)
    clipped = _step_optimisers(run, tensors, options.gradient_limit)
    if options.recentre_frame_params:
        run.frames.centre()
    if health is not None:
        health.add(tensors.hits, batch.foreground, tensors.render.root_statistics)
    return {**_scalars(tensors.terms, tensors.hits, batch), "clipped": float(clipped)}


def _step_optimisers(run: Run, step: StepTensors, gradient_limit: float) -> bool:
    """Follow the loss; returns whether a gradient was clipped."""
    total = step.terms.total
    run.optimiser.zero_grad(set_to_none=True)
    if run.frame_optimiser is not None:
        run.frame_optimiser.zero_grad(set_to_none=True)
    if not math.isfinite(float(total.detach())):
        raise _not_finite(run, step, "the loss")
    total.backward()
    run.processes.mean_sparse_gradients(run.frames.trainable(), step.batch.frame)
    try:
        clipped = clip_to_running_norm(run.optimiser, gradient_limit)
    except FloatingPointError as error:
        raise _not_finite(run, step, "a gradient of the loss") from error
    if not diagnostics.gradients_finite(run.frames.trainable()):
        raise _not_finite(run, step, "a gradient of the loss")
    run.optimiser.step()
    if run.frame_optimiser is not None:
        run.frame_optimiser.step()
    return clipped


def _not_finite(run: Run, step: StepTensors, what: str) -> NotFiniteError:
    frames = step.batch.frame.tolist()
    first = diagnostics.first_not_finite(run.avatar, run.frames, step)
    return NotFiniteError(f"{what} is not finite, in a step on frame(s) {frames} of the data set. First: {first}")


@torch.no_grad()
def _scalars(terms: LossTerms, hits: SurfaceHits, batch: Batch) -> dict[str, float]:
    both = (hits.hit & batch.foreground).float().sum()
    either = (hits.hit | batch.foreground).float().sum()
    values = {**terms.values, "loss": terms.total, "mask_iou": both / either.clamp(min=1)}
    # One transfer for all: a GPU is waited for each time.
    return dict(zip(values, torch.stack([value.double() for value in values.values()]).tolist(), strict=True))


def clip_to_running_norm(optimiser: torch.optim.Adam, factor: float) -> bool:
    """Scale the gradient of each parameter group down to at most `factor` times its usual norm, in place.

    The gradient of a surface point grows without bound as the ray grazes the surface (docs/method.md, section 7). Adam
    would follow such a step for many more: it is measured against the root mean square of earlier norms, which Adam has
    already, so that there is no threshold to choose and no state to keep.

    A factor of 0 leaves everything as it is. Returns whether anything was scaled.

    Raises:
        FloatingPointError: where a gradient is not finite.
    """
    groups = [[p for p in group["params"] if p.grad is not None] for group in optimiser.param_groups]
    decays = [group["betas"][1] for group in optimiser.param_groups]
    pairs = [
        (torch.nn.utils.get_total_norm([p.grad for p in group]), _usual_norm(optimiser, group, decay))
        for group, decay in zip(groups, decays, strict=True)
        if group
    ]
    clipped = False
    # One transfer for all: a GPU is waited for each time.
    values = torch.stack([value for pair in pairs for value in pair]).view(-1, 2).tolist() if pairs else []
    for group, (norm, usual) in zip(filter(None, groups), values, strict=True):
        if not math.isfinite(norm):
            raise FloatingPointError(f"a gradient's norm is {norm}")
        if 0 < factor * usual < norm:
            torch.nn.utils.clip_grads_with_norm_(group, factor * usual, torch.tensor(norm))
            clipped = True
    return clipped


def _usual_norm(optimiser: torch.optim.Adam, parameters: list[Tensor], decay: float) -> Float[Tensor, ""]:
    """Root mean square of the norms of past gradients; 0 before the first step."""
    by_step: dict[float, list[Tensor]] = {}
    for state in (optimiser.state[p] for p in parameters if p in optimiser.state):
        by_step.setdefault(float(state["step"]), []).append(state["exp_avg_sq"])
    # Of what is nowhere negative the sum is the 1-norm.
    sums = [torch.nn.utils.get_total_norm(v, 1.0) / (1 - decay**step) for step, v in by_step.items()]
    return torch.stack(sums).sum().sqrt() if sums else parameters[0].new_zeros(())
