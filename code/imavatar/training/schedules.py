"""Functions of the epoch: nothing is remembered between steps, so a resumed run needs no repair."""

from collections.abc import Sequence


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
