"""The training loop, and nothing else."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch

from imavatar.data.dataset import FaceDataset
from imavatar.data.sampling import generator_for
from imavatar.errors import TrainingError
from imavatar.training.diagnostics import EpochDiagnostics, health_line
from imavatar.training.nan_check import parameters_not_finite
from imavatar.training.objective import LossWeights, Objective
from imavatar.training.schedules import (
    decaying_weight,
    exponential_decay,
    milestone_factor,
    warm_up,
)
from imavatar.training.soundness import Watch
from imavatar.training.step import Run, StepLosses, StepOptions, training_step

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """Everything that depends on the epoch (docs/method.md, section 10)."""

    weights: LossWeights
    alpha_milestones: tuple[int, ...] = ()
    alpha_factor: float = 2.0
    lbs_milestones: tuple[int, ...] = ()
    lbs_factor: float = 0.5
    rate_milestones: tuple[int, ...] = ()
    rate_factor: float = 0.5
    rate_decay: float = 1.0
    warmup_steps: int = 0
    texture_only_steps: int = 0
    gradient_limit: float = 0.0
    condition_noise: float = 0.0
    recentre_frame_params: bool = False
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
            step < self.texture_only_steps, self.gradient_limit, self.condition_noise, self.recentre_frame_params
        )


@dataclass(frozen=True)
class LoopSettings:
    """Sizes of a run."""

    n_epochs: int
    n_pixels: int
    batch_size: int = 1
    seed: int = 0


@runtime_checkable
class Checkpoints(Protocol):
    """Where a run is saved."""

    def save(self, epoch: int, *, sound: bool = True) -> None:
        """Save before an epoch; `sound`: the avatar shows the person."""

    def way_back(self) -> str:
        """Which checkpoint to go on from after an error."""


def train(
    run: Run,
    dataset: FaceDataset,
    objective: Objective,
    schedule: Schedule,
    settings: LoopSettings,
    *,
    start_epoch: int,
    log: Callable[[int, Mapping[str, float]], None],
    checkpoints: Checkpoints,
    preview: Callable[[int], None],
) -> None:
    """Train from `start_epoch`; the run is saved before every epoch and once at the end.

    Of several processes all call this, and each takes a part of every step's rays; the epoch's values are those of all.

    Raises:
        TrainingError: it cannot go on; the message names the checkpoint to go back to, which is not overwritten.
    """
    started = time.monotonic()
    losses = run.processes.wrap_ddp(StepLosses(run.avatar, objective, run.processes))
    check_parameters(run, "before the first step: it comes from the data, or from the configuration")
    watch = Watch(run, dataset, n_pixels=settings.n_pixels, seed=settings.seed)
    sound = watch.is_sound(watch.look())
    for epoch in range(start_epoch, settings.n_epochs):
        checkpoints.save(epoch, sound=sound)
        try:
            totals = _train_epoch(run, dataset, losses, schedule, settings, epoch)
            log(epoch, totals)
            logger.info("%s", _progress(epoch, start_epoch, settings.n_epochs, totals, time.monotonic() - started))
            logger.info("    %s", health_line(totals))
            check_parameters(run, f"after the last step of epoch {epoch + 1}")
            sound = _still_sound(watch, epoch)
        except TrainingError as error:
            raise TrainingError(f"{error}; {checkpoints.way_back()}") from error
        preview(epoch + 1)
    checkpoints.save(settings.n_epochs, sound=sound)


def check_parameters(run: Run, when: str) -> None:
    """Raise TrainingError where a weight or a frame's parameter is not finite."""
    lost = parameters_not_finite(run.frames, run.avatar)
    if lost is not None:
        raise TrainingError(f"{lost} is not finite {when}")


def _still_sound(watch: Watch, epoch: int) -> bool:
    """Whether the avatar has not become much worse in an epoch.

    Raises:
        TrainingError: nothing is left of it.
    """
    look = watch.look()
    if look.n_hit == 0 and watch.has_hit:
        raise TrainingError(
            f"the surface has vanished in epoch {epoch + 1}: no ray hits it any more, though all weights are finite"
        )
    return watch.is_sound(look)


def _train_epoch(run, dataset, losses, schedule, settings, epoch) -> dict[str, float]:
    """One pass over the frames; returns means of the logged values."""
    run.avatar.search.reset()
    order = torch.randperm(len(dataset), generator=generator_for(settings.seed, epoch, -1))
    batches = order.split(settings.batch_size)
    weights = schedule.weights_at(epoch)
    sums: dict[str, float] = {}
    health = EpochDiagnostics()
    for number, frames in enumerate(batches):
        step, progress = epoch * len(batches) + number, epoch + number / len(batches)
        factor = schedule.rate_at(progress, settings.n_epochs, step)
        _set_rates(run, factor)
        run.avatar.geometry.open_bands = schedule.open_bands_at(progress)
        generator = generator_for(settings.seed, epoch, int(frames[0]))
        batch = dataset.batch(frames.tolist(), settings.n_pixels, generator)
        scalars = training_step(run, losses, batch, weights, generator, schedule.step_options(step), health)
        for name, value in scalars.items():
            sums[name] = sums.get(name, 0.0) + value / len(batches)
    means = run.processes.mean(torch.tensor(list(sums.values()), dtype=torch.float64)).tolist()
    means = dict(zip(sums, means, strict=True))
    rates = {"learning_rate_factor": factor, "alpha": weights.alpha}
    return {**means, **rates, **health.scalars(run.processes), **run.avatar.search.staleness()}


def _set_rates(run: Run, factor: float) -> None:
    for group, rate in zip(run.optimiser.param_groups, run.rates, strict=True):
        group["lr"] = rate * factor
    if run.frame_optimiser is not None:
        for group in run.frame_optimiser.param_groups:
            group["lr"] = run.frame_rate * factor


def _progress(epoch: int, start: int, n_epochs: int, totals: dict[str, float], elapsed: float) -> str:
    done = epoch + 1 - start
    left = elapsed / done * (n_epochs - epoch - 1)
    names = ("loss", "rgb", "mask", "mask_iou")
    values = "  ".join(f"{name} {totals[name]:.4f}" for name in names if name in totals)
    return f"epoch {epoch + 1}/{n_epochs}  {values}  {_clock(elapsed)} elapsed, {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
