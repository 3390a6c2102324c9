"""Functions of the epoch: nothing is remembered between steps, so a resumed run needs no repair."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imavatar.settings import EPOCHS, FRACTION, RATE, STEPS, WEIGHT, key
from imavatar.training.objective import LossWeights


@dataclass(frozen=True)
class Schedule:
    """What depends on the epoch (docs/method.md, section 10).

    Attributes:
        GT_lbs_milestones: of both terms that the head supervises, which end at the last one.
        lr_decay: factor that the rates fall to over the run; 1: they don't.
        warmup_steps: over which the rates rise from zero.
    """

    alpha_milestones: tuple[int, ...] = key((), EPOCHS)
    alpha_factor: float = key(2.0, RATE)
    sched_milestones: tuple[int, ...] = key((400, 800), EPOCHS)
    sched_factor: float = key(0.5, RATE)
    GT_lbs_milestones: tuple[int, ...] = key((), EPOCHS)
    GT_lbs_factor: float = key(0.5, WEIGHT)
    lr_decay: float = key(1.0, FRACTION)
    warmup_steps: int = key(0, STEPS)

    def weights_at(self, epoch: int, weights: LossWeights) -> LossWeights:
        """Loss weights and alpha of an epoch."""
        supervision = decaying_weight(epoch, self.GT_lbs_milestones, self.GT_lbs_factor)
        return replace(
            weights,
            alpha=weights.alpha * milestone_factor(epoch, self.alpha_milestones, self.alpha_factor),
            lbs_weight=weights.lbs_weight * supervision,
            flame_distance_weight=weights.flame_distance_weight * supervision,
        )

    def rate_at(self, epoch: float, n_epochs: int, step: int) -> float:
        """Factor of all learning rates, `step` steps after the start of the run."""
        factor = milestone_factor(int(epoch), self.sched_milestones, self.sched_factor)
        return factor * exponential_decay(epoch, n_epochs, self.lr_decay) * warm_up(step, self.warmup_steps)


def milestone_factor(epoch: float, milestones: Sequence[int], factor: float) -> float:
    """`factor` once for every milestone that has been reached."""
    return factor ** sum(epoch >= milestone for milestone in milestones)


def decaying_weight(epoch: float, milestones: Sequence[int], factor: float) -> float:
    """As `milestone_factor`, but 0 from the last milestone on (docs/method.md, section 10, FLAME supervision)."""
    if milestones and epoch >= milestones[-1]:
        return 0.0
    return milestone_factor(epoch, milestones, factor)


def exponential_decay(epoch: float, n_epochs: int, final: float) -> float:
    """Falls from 1 to `final` over `n_epochs`; stays there afterwards."""
    return final ** min(1.0, epoch / max(n_epochs, 1))


def warm_up(step: int, n_steps: int) -> float:
    """Rises linearly to 1 over the first `n_steps` of a run."""
    return 1.0 if n_steps == 0 else min(1.0, (step + 1) / n_steps)
