"""Which learning rate each of an avatar's parameters has."""

from torch import nn

from imavatar.rendering.avatar import Avatar


def parameter_groups(
    avatar: Avatar,
    default: float,
    *,
    geometry: float | None = None,
    deformer: float | None = None,
    blendshapes: float | None = None,
    texture: float | None = None,
    hash_grid: float | None = None,
) -> list[dict]:
    """Groups of an optimiser: geometry, deformer, its linear layer of blendshapes, texture, its tables.

    Args:
        default: rate of the networks without one of their own; blendshapes go with the deformer, tables with the
            texture.
    """
    linear = list(getattr(avatar.deformer, "blendshapes", nn.ParameterList()).parameters())
    tables = [] if avatar.texture.grid is None else list(avatar.texture.grid.parameters())
    deformer_rate, texture_rate = deformer or default, texture or default
    groups = [
        {"params": list(avatar.geometry.parameters()), "lr": geometry or default},
        {"params": _without(avatar.deformer, linear), "lr": deformer_rate},
        {"params": linear, "lr": blendshapes or deformer_rate},
        {"params": _without(avatar.texture, tables), "lr": texture_rate},
    ]
    # Without tables no group is made: states of optimisers have as many groups as before.
    return groups + ([{"params": tables, "lr": hash_grid or texture_rate}] if tables else [])


def _without(module: nn.Module, others: list[nn.Parameter]) -> list[nn.Parameter]:
    return [p for p in module.parameters() if not any(p is other for other in others)]
