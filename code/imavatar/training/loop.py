"""The training loop, and nothing else."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from imavatar.data.dataset import FaceDataset
from imavatar.data.sampling import generator_for
from imavatar.errors import TrainingError
from imavatar.settings import MAX_EPOCHS, MAX_SEED, RAYS, above, between, key
from imavatar.training.diagnostics import EpochDiagnostics, health_line, parameters_not_finite
from imavatar.training.head_agreement import agreement_line
from imavatar.training.objective import LossWeights, Objective
from imavatar.training.schedules import Schedule
from imavatar.training.soundness import Watch
from imavatar.training.state import RunCheckpoints
from imavatar.training.step import Run, StepLosses, StepOptions, training_step

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoopSettings:
    """Sizes of a run: `num_pixels` are the rays of a frame, `batch_size` the frames of a step."""

    num_pixels: int = key(2048, RAYS)
    batch_size: int = key(1, above(0, 1024))
    seed: int = key(0, between(0, MAX_SEED))
    nepoch: int = key(1000, above(0, MAX_EPOCHS))


@dataclass(frozen=True)
class TrainSettings(LoopSettings, StepOptions, Schedule):
    """All that the loop asks of a configuration, but the losses' weights."""


class NoCheckpoints:
    """What a process has that is not the first, where the first one has `RunCheckpoints`."""

    def save(self, epoch: int, *, sound: bool = True) -> None:
        """Nothing."""

    def way_back(self) -> str:
        """Nothing that the first process does not say."""
        return "the first process says how to go on"


@dataclass(frozen=True)
class Outputs:
    """Where a run's results go; without arguments nowhere, as in processes that are not the first.

    `log` gets an epoch and its values; `preview` draws the avatar after so many epochs; `measure` gives further values
    of the avatar as it is, by names that end up in the log.
    """

    checkpoints: RunCheckpoints | NoCheckpoints = field(default_factory=NoCheckpoints)
    log: Callable[[int, Mapping[str, float]], None] = lambda *_: None
    preview: Callable[[int], None] = lambda *_: None
    measure: Callable[[], Mapping[str, float]] = dict


def train(
    run: Run,
    dataset: FaceDataset,
    objective: Objective,
    weights: LossWeights,
    settings: TrainSettings,
    outputs: Outputs,
    start_epoch: int = 0,
) -> None:
    """Train from `start_epoch`; the run is saved before every epoch and once at the end.

    Of several processes all call this, and each takes a part of every step's rays; the epoch's values are those of all.
    The weights of the losses are those before the schedule's factors.

    Raises:
        TrainingError: it cannot go on; the message names the checkpoint to go back to, which is not overwritten.
    """
    started, n_epochs = time.monotonic(), settings.nepoch
    losses = run.processes.wrap_ddp(StepLosses(run.avatar, objective))
    check_parameters(run, "before the first step: it comes from the data, or from the configuration")
    watch = Watch(run, dataset, n_pixels=settings.num_pixels, seed=settings.seed)
    sound = watch.is_sound(watch.look())
    for epoch in range(start_epoch, n_epochs):
        outputs.checkpoints.save(epoch, sound=sound)
        try:
            totals = _train_epoch(run, dataset, losses, settings.weights_at(epoch, weights), settings, epoch)
            measured = outputs.measure()
            outputs.log(epoch, {**totals, **measured})
            logger.info("%s", _progress(epoch, start_epoch, n_epochs, totals, time.monotonic() - started))
            logger.info("    %s", health_line(totals))
            if measured:
                logger.info("    %s", agreement_line(measured))
            check_parameters(run, f"after the last step of epoch {epoch + 1}")
            sound = _still_sound(watch, epoch)
        except TrainingError as error:
            raise TrainingError(f"{error}; {outputs.checkpoints.way_back()}") from error
        outputs.preview(epoch + 1)
    outputs.checkpoints.save(n_epochs, sound=sound)


def check_parameters(run: Run, when: str) -> None:
    """Raise TrainingError where a weight or a frame's parameter is not finite."""
    lost = parameters_not_finite(run.frames, run.avatar)
    if lost is not None:
        raise TrainingError(f"{lost} is not finite {when}")


def _still_sound(watch: Watch, epoch: int) -> bool:
    """Whether the avatar has not become much worse in an epoch; raises TrainingError where nothing is left of it."""
    look = watch.look()
    if look.n_hit == 0 and watch.has_hit:
        raise TrainingError(
            f"the surface has vanished in epoch {epoch + 1}: no ray hits it any more, though all weights are finite"
        )
    return watch.is_sound(look)


def _train_epoch(
    run: Run, dataset: FaceDataset, losses: nn.Module, weights: LossWeights, settings: TrainSettings, epoch: int
) -> dict[str, float]:
    run.avatar.search.reset()
    batches = torch.randperm(len(dataset), generator=generator_for(settings.seed, epoch, -1)).split(settings.batch_size)
    sums: dict[str, float] = {}
    health = EpochDiagnostics()
    for number, frames in enumerate(batches):
        step, progress = epoch * len(batches) + number, epoch + number / len(batches)
        factor = settings.rate_at(progress, settings.nepoch, step)
        _set_rates(run, factor)
        run.avatar.geometry.active_bands = progress if run.anneals_bands else None
        generator = generator_for(settings.seed, epoch, int(frames[0]))
        batch = dataset.batch(frames.tolist(), settings.num_pixels, generator)
        scalars = training_step(run, losses, batch, weights, generator, settings.after(step), health)
        for name, value in scalars.items():
            sums[name] = sums.get(name, 0.0) + value / len(batches)
    means = run.processes.mean(torch.tensor(list(sums.values()), dtype=torch.float64)).tolist()
    rates = {"learning_rate_factor": factor, "alpha": weights.alpha}
    return {
        **dict(zip(sums, means, strict=True)),
        **rates,
        **health.scalars(run.processes),
        **run.avatar.search.statistics(),
    }


def _set_rates(run: Run, factor: float) -> None:
    for group, rate in zip(run.optimiser.param_groups, run.rates, strict=True):
        group["lr"] = rate * factor
    if run.frame_optimiser is not None:
        for group in run.frame_optimiser.param_groups:
            group["lr"] = run.frame_rate * factor


def _progress(epoch: int, start: int, n_epochs: int, totals: dict[str, float], elapsed: float) -> str:
    left = elapsed / (epoch + 1 - start) * (n_epochs - epoch - 1)
    values = "  ".join(f"{name} {totals[name]:.4f}" for name in ("loss", "rgb", "mask", "mask_iou") if name in totals)
    return f"epoch {epoch + 1}/{n_epochs}  {values}  {_clock(elapsed)} elapsed, {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
