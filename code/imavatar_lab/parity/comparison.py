"""Recorded against computed values: the largest differences and a verdict."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from imavatar_lab.parity.tolerances import Tolerance, tolerance_of

TINY = 1e-30


@dataclass(frozen=True)
class Comparison:
    """One recorded quantity. `absolute` and `relative` are the largest differences (relative to the largest recorded
    value, for gradients and losses to their norm), for masks and indices the number and the share of unequal entries.
    """

    name: str
    absolute: float
    relative: float
    kind: str
    limit: float
    passed: bool
    note: str = ""

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


def compare(name: str, found: Tensor, recorded: Tensor, note: str = "") -> Comparison:
    """A verdict on one quantity; a different shape or a value that is not finite never passes."""
    tolerance = tolerance_of(name)
    found = found.detach()
    if found.numel() != recorded.numel():
        shapes = f"shape {tuple(found.shape)}, recorded {tuple(recorded.shape)}"
        return Comparison(name, float("inf"), float("inf"), tolerance.kind, tolerance.limit, False, shapes)
    absolute, relative, decisive = _differences(found.reshape(recorded.shape), recorded, tolerance)
    return Comparison(name, absolute, relative, tolerance.kind, tolerance.limit, decisive <= tolerance.limit, note)


def _differences(found: Tensor, recorded: Tensor, tolerance: Tolerance) -> tuple[float, float, float]:
    """Absolute, relative, and which of them decides; infinite where one is not finite."""
    if recorded.numel() == 0:
        return 0.0, 0.0, 0.0
    if tolerance.kind == "equal":
        unequal = int((found != recorded).sum())
        return float(unequal), unequal / recorded.numel(), float(unequal)
    difference = (found.double() - recorded.double()).abs()
    if not bool(torch.isfinite(difference).all()):
        return float("inf"), float("inf"), float("inf")
    absolute = float(difference.max())
    if tolerance.kind == "norm":
        relative = float(difference.norm() / recorded.double().norm().clamp(min=TINY))
    else:
        relative = absolute / max(float(recorded.double().abs().max()), TINY)
    return absolute, relative, absolute if tolerance.kind == "absolute" else relative
