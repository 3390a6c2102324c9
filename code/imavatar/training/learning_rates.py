"""Which learning rate each of an avatar's parameters has."""

from dataclasses import dataclass

from torch import nn

from imavatar.rendering.avatar import Avatar
from imavatar.settings import RATE, key


@dataclass(frozen=True)
class LearningRates:
    """Learning rates of single networks; None leaves a network at `train.learning_rate`.

    The deformer's linear layer (`blendshapes`) and the texture's tables (`hash_grid`) follow their network without one.
    """

    geometry: float | None = key(None, RATE)
    deformer: float | None = key(None, RATE)
    blendshapes: float | None = key(None, RATE)
    texture: float | None = key(None, RATE)
    hash_grid: float | None = key(None, RATE)


def parameter_groups(avatar: Avatar, default: float, rates: LearningRates) -> list[dict]:
    """Groups of an optimiser: geometry, deformer, its linear layer of blendshapes, texture, its tables."""
    linear = list(getattr(avatar.deformer, "blendshapes", nn.ParameterList()).parameters())
    tables = [] if avatar.texture.grid is None else list(avatar.texture.grid.parameters())
    deformer_rate, texture_rate = rates.deformer or default, rates.texture or default
    groups = [
        {"params": list(avatar.geometry.parameters()), "lr": rates.geometry or default},
        {"params": _without(avatar.deformer, linear), "lr": deformer_rate},
        {"params": linear, "lr": rates.blendshapes or deformer_rate},
        {"params": _without(avatar.texture, tables), "lr": texture_rate},
    ]
    # Without tables no group is made: states of optimisers have as many groups as before.
    return groups + ([{"params": tables, "lr": rates.hash_grid or texture_rate}] if tables else [])


def _without(module: nn.Module, others: list[nn.Parameter]) -> list[nn.Parameter]:
    return [p for p in module.parameters() if not any(p is other for other in others)]
