"""The training loop, and nothing else."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from imavatar.data.dataset import FaceDataset
from imavatar.data.sampling import generator_for
from imavatar.errors import TrainingError
from imavatar.fields.mlp import held_weights
from imavatar.head.flame import Flame
from imavatar.losses import LossTerms, moves_mask_loss
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.camera import cast_rays
from imavatar.training.finiteness import (
    NotFiniteError,
    StepTensors,
    first_not_finite,
    gradients_finite,
    parameters_not_finite,
)
from imavatar.training.frame_parameters import FrameParameters
from imavatar.training.health import EpochHealth, health_line
from imavatar.training.logs import ScalarLog
from imavatar.training.objective import LossWeights, Objective
from imavatar.training.outliers import limit_outliers
from imavatar.training.schedules import (
    decaying_weight,
    exponential_decay,
    milestone_factor,
    warm_up,
)
from imavatar.types import Batch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """Everything that depends on the epoch (SPEC section 10)."""

    weights: LossWeights
    alpha_milestones: tuple[int, ...] = ()
    alpha_factor: float = 2.0
    lbs_milestones: tuple[int, ...] = ()
    lbs_factor: float = 0.5
    rate_milestones: tuple[int, ...] = ()
    rate_factor: float = 0.5
    rate_decay: float = 1.0
    warmup_steps: int = 0
    texture_first_steps: int = 0
    gradient_limit: float = 0.0
    condition_noise: float = 0.0
    centred_frames: bool = False
    anneal_bands: bool = False

    def weights_at(self, epoch: int) -> LossWeights:
        """Loss weights and alpha of an epoch."""
        supervision = decaying_weight(epoch, self.lbs_milestones, self.lbs_factor)
        alpha = milestone_factor(epoch, self.alpha_milestones, self.alpha_factor)
        return replace(
            self.weights,
            alpha=self.weights.alpha * alpha,
            lbs=self.weights.lbs * supervision,
            flame_distance=self.weights.flame_distance * supervision,
        )

    def open_bands_at(self, epoch: float) -> float | None:
        """Octaves of the geometry's encoding that are open; None for all."""
        return epoch if self.anneal_bands else None

    def rate_at(self, epoch: float, n_epochs: int, step: int) -> float:
        """Factor of all learning rates, `step` steps after the start of the run."""
        factor = milestone_factor(int(epoch), self.rate_milestones, self.rate_factor)
        return factor * exponential_decay(epoch, n_epochs, self.rate_decay) * warm_up(step, self.warmup_steps)

    def step_options(self, step: int) -> "StepOptions":
        """What holds for a step, `step` steps after the start of the run."""
        return StepOptions(
            step < self.texture_first_steps, self.gradient_limit, self.condition_noise, self.centred_frames
        )


@dataclass(frozen=True)
class StepOptions:
    """How a step differs from the paper's.

    Args:
        texture_only: colours teach the texture alone.
        gradient_limit: see `limit_outliers`.
        centred_frames: see `FrameParameters.centre`.
        condition_noise: noise on what the texture's colours depend on, in standard deviations over the frames: colours
            then depend on no single number of it, and stay plausible beyond the expressions that were seen.
    """

    texture_only: bool = False
    gradient_limit: float = 0.0
    condition_noise: float = 0.0
    centred_frames: bool = False


@dataclass(frozen=True)
class LoopSettings:
    """Sizes of a run."""

    n_epochs: int
    n_pixels: int
    batch_size: int = 1
    seed: int = 0


@dataclass
class Run:
    """What a run trains; `rates` are the learning rates that the schedule's factor multiplies."""

    avatar: Avatar
    flame: Flame
    frames: FrameParameters
    optimiser: torch.optim.Optimizer
    frame_optimiser: torch.optim.Optimizer | None
    rates: list[float]
    frame_rate: float


def train(
    run: Run,
    dataset: FaceDataset,
    objective: Objective,
    schedule: Schedule,
    settings: LoopSettings,
    *,
    start_epoch: int,
    log: ScalarLog,
    save: Callable[[int], None],
    preview: Callable[[int], None],
) -> None:
    """Train from `start_epoch`; `save(e)` is called before epoch e and once at the end."""
    started = time.monotonic()
    for epoch in range(start_epoch, settings.n_epochs):
        _save_finite(run, epoch, save)
        try:
            totals = _train_epoch(run, dataset, objective, schedule, settings, epoch)
        except NotFiniteError as error:
            raise TrainingError(f"{error}; {_last_good(epoch)}") from error
        log.log(epoch, totals)
        logger.info("%s", _progress(epoch, start_epoch, settings.n_epochs, totals, time.monotonic() - started))
        logger.info("    %s", health_line(totals))
        preview(epoch + 1)
    _save_finite(run, settings.n_epochs, save)


def _save_finite(run: Run, epoch: int, save: Callable[[int], None]) -> None:
    """Save, unless that would put weights that are lost in the place of the last good ones."""
    lost = parameters_not_finite(run.frames, run.avatar)
    if lost is not None:
        raise TrainingError(f"{lost} is not finite after the last step of epoch {epoch}; {_last_good(epoch - 1)}")
    save(epoch)


def _last_good(epoch: int) -> str:
    return (
        f"the checkpoint `latest`, from before epoch {epoch + 1}, is good: lower train.learning_rate or set "
        "train.gradient_limit = 3 and go on with --is_continue, from an earlier epoch N with --checkpoint N"
    )


def _train_epoch(run, dataset, objective, schedule, settings, epoch) -> dict[str, float]:
    """One pass over the frames; returns means of the logged values."""
    run.avatar.search.reset()
    order = torch.randperm(len(dataset), generator=generator_for(settings.seed, epoch, -1))
    batches = order.split(settings.batch_size)
    weights = schedule.weights_at(epoch)
    sums: dict[str, float] = {}
    health = EpochHealth()
    for number, frames in enumerate(batches):
        step, progress = epoch * len(batches) + number, epoch + number / len(batches)
        factor = schedule.rate_at(progress, settings.n_epochs, step)
        _set_rates(run, factor)
        run.avatar.geometry.open_bands = schedule.open_bands_at(progress)
        generator = generator_for(settings.seed, epoch, int(frames[0]))
        batch = dataset.batch(frames.tolist(), settings.n_pixels, generator)
        scalars = training_step(run, objective, batch, weights, generator, schedule.step_options(step), health)
        for name, value in scalars.items():
            sums[name] = sums.get(name, 0.0) + value / len(batches)
    sums["learning_rate_factor"] = factor
    sums["alpha"] = weights.alpha
    return {**sums, **health.scalars(), **run.avatar.search.staleness()}


def training_step(
    run: Run,
    objective: Objective,
    batch: Batch,
    weights: LossWeights,
    generator: torch.Generator,
    options: StepOptions = StepOptions(),
    health: EpochHealth | None = None,
) -> dict[str, float]:
    """One step of both optimisers; returns what is logged.

    Raises:
        NotFiniteError: the loss or a gradient is not finite; no step is made then.
    """
    # One evaluation after another uses the same weights until the optimiser has moved them.
    with held_weights(run.avatar):
        tensors = _losses_of(run, objective, batch, weights, generator, options)
    limited = _step_optimisers(run, tensors, options.gradient_limit)
    if options.centred_frames:
        run.frames.centre()
    batch, hits = tensors.batch, tensors.hits
    if health is not None:
        health.add(hits, batch, tensors.render)
    return {**_scalars(tensors.terms, hits, batch), "limited": float(limited)}


def _losses_of(run: Run, objective: Objective, batch: Batch, weights, generator, options: StepOptions) -> StepTensors:
    """Everything from the batch to its loss terms."""
    device = run.flame.v_template.device
    batch = to_device(batch, device)
    posed = run.flame(run.frames.head(batch.frame), run.frames.latent(batch.frame))
    if options.condition_noise > 0:
        noise = torch.randn(posed.condition.shape, generator=generator).to(posed.condition)
        noise = options.condition_noise * run.frames.condition_spread() * noise
        posed = replace(posed, condition=posed.condition + noise)
    rays = cast_rays(run.frames.camera(batch.frame, batch.camera), batch.pixels, batch.rays_frame)
    hits = run.avatar.find_surface(rays.detach(), posed.detach(), batch.foreground)
    render = run.avatar.shade(
        rays,
        posed,
        hits,
        hits.hit & batch.foreground,
        wants_sdf=moves_mask_loss(hits, batch.foreground, weights.alpha),
        colour_trains_geometry=not options.texture_only,
    )
    deviations = run.frames.deviations(batch.frame)
    latent = posed.latent[:1].detach()
    terms = objective.terms(run.avatar, render, batch, deviations, weights, generator, latent)
    return StepTensors(batch, posed, rays, hits, render, terms)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    moved = {
        name: getattr(batch, name).to(device)
        for name in ("frame", "camera", "head", "pixels", "rays_frame", "rgb", "foreground")
    }
    semantics = None if batch.semantics is None else batch.semantics.to(device)
    return Batch(semantics=semantics, **moved)


def _step_optimisers(run: Run, step: StepTensors, gradient_limit: float) -> bool:
    """Follow the loss; returns whether a gradient was limited."""
    total = step.terms.total
    run.optimiser.zero_grad(set_to_none=True)
    if run.frame_optimiser is not None:
        run.frame_optimiser.zero_grad(set_to_none=True)
    if not math.isfinite(float(total.detach())):
        raise _not_finite(run, step, "the loss")
    total.backward()
    try:
        limited = limit_outliers(run.optimiser, gradient_limit)
    except FloatingPointError as error:
        raise _not_finite(run, step, "a gradient of the loss") from error
    if not gradients_finite(run.frames.trainable()):
        raise _not_finite(run, step, "a gradient of the loss")
    run.optimiser.step()
    if run.frame_optimiser is not None:
        run.frame_optimiser.step()
    return limited


def _not_finite(run: Run, step: StepTensors, what: str) -> NotFiniteError:
    frames = step.batch.frame.tolist()
    first = first_not_finite(run.avatar, run.frames, step)
    return NotFiniteError(f"{what} is not finite, in a step on frame(s) {frames} of the data set. First: {first}")


def _set_rates(run: Run, factor: float) -> None:
    for group, rate in zip(run.optimiser.param_groups, run.rates, strict=True):
        group["lr"] = rate * factor
    if run.frame_optimiser is not None:
        for group in run.frame_optimiser.param_groups:
            group["lr"] = run.frame_rate * factor


@torch.no_grad()
def _scalars(terms: LossTerms, hits, batch: Batch) -> dict[str, float]:
    scalars = {name: float(value.detach()) for name, value in terms.values.items()}
    both = (hits.hit & batch.foreground).float().sum()
    either = (hits.hit | batch.foreground).float().sum()
    scalars["loss"] = float(terms.total.detach())
    scalars["mask_iou"] = float(both / either.clamp(min=1))
    return scalars


def _progress(epoch: int, start: int, n_epochs: int, totals: dict[str, float], elapsed: float) -> str:
    done = epoch + 1 - start
    left = elapsed / done * (n_epochs - epoch - 1)
    names = ("loss", "rgb", "mask", "mask_iou")
    values = "  ".join(f"{name} {totals[name]:.4f}" for name in names if name in totals)
    return f"epoch {epoch + 1}/{n_epochs}  {values}  {_clock(elapsed)} elapsed, {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
