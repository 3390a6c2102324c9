"""The focal length of a recording that does not say it: what each of several costs, and which explain it as well.

With a longer focal length the head is farther away, and shape, pose and distance give way to each other: a fit stays
near the focal length that it starts with. So it is not left to one fit. With a few fixed ones the same frames are
fitted, each from the fit of its neighbour, and the least loss is looked for between them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

RUN = 3
"""Frames in a row that are taken together: fewer say nothing of motion."""
MAX_FRAMES = 60
STEPS_OF_SPREAD = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Where it is looked for, in standard deviations of what is known before."""
N_TRIED = 2 * len(STEPS_OF_SPREAD) - 1 - len(STEPS_OF_SPREAD) // 2
"""How many fits a search makes: from the middle up and all the way down."""
AS_GOOD = 0.01
"""Share of the loss by which a fit may be worse and still explains the recording: landmarks err by more than that."""
SURE_SHARE = 0.2
"""A range that is narrower than this, both ways, is an answer; a wider one says that the recording cannot tell."""


@dataclass(frozen=True)
class Lens:
    """What is known of a camera before the fit: its focal length, and the standard deviation of its logarithm.

    With a spread of 0 the focal length is known.
    """

    focal: float
    spread: float = 0.0

    def scaled(self, factor: float) -> "Lens":
        """The same lens in another unit."""
        return Lens(self.focal * factor, self.spread)

    @property
    def known(self) -> bool:
        """Whether there is nothing to find."""
        return self.spread == 0


@dataclass(frozen=True)
class FocalRange:
    """The focal length with the least loss, and the shortest and longest one that explain the recording as well."""

    best: float
    low: float
    high: float

    def scaled(self, factor: float) -> "FocalRange":
        """The same range in another unit."""
        return FocalRange(self.best * factor, self.low * factor, self.high * factor)

    @property
    def sure(self) -> bool:
        """Whether the recording tells the focal length."""
        return self.low > self.best / (1 + SURE_SHARE) and self.high < self.best * (1 + SURE_SHARE)


def spread_frames(video: Int[np.ndarray, " n"], time: Int[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
    """At most MAX_FRAMES frames of all recordings, in runs of RUN that follow each other where there are such."""
    n = len(video)
    if n <= MAX_FRAMES:
        return np.arange(n)
    first = np.arange(n - RUN + 1)
    last = first + RUN - 1
    together = first[(video[first] == video[last]) & (time[last] - time[first] == RUN - 1)]
    starts = together if len(together) else first
    chosen = starts[np.linspace(0, len(starts) - 1, MAX_FRAMES // RUN).round().astype(int)]
    return np.unique(chosen[:, None] + np.arange(RUN))


def search_focal(lens: Lens, loss_at: Callable[[float], float]) -> FocalRange:
    """Try focal lengths, and interpolate.

    Args:
        lens: what is known before.
        loss_at: fits the recording with a focal length and gives the loss; each call may start where the last ended.
    """
    tried = lens.focal * np.exp(lens.spread * np.array(STEPS_OF_SPREAD))
    middle = len(tried) // 2
    # From the middle up, and from there down again to the other end: neighbours follow each other.
    order = [*range(middle, len(tried)), *range(len(tried) - 2, -1, -1)]
    found: dict[int, float] = {}
    for k in order:
        found[k] = min(found.get(k, np.inf), loss_at(float(tried[k])))
    return focal_range(tried, [found[k] for k in range(len(tried))])


def focal_range(focal: Float[np.ndarray, " k"], loss: Sequence[float]) -> FocalRange:
    """The least loss, and where it is AS_GOOD: between focal lengths by a parabola through the best and its neighbours.

    Args:
        focal: tried ones, growing.
        loss: of the fit with each, positive.
    """
    x, y = np.log(focal), np.asarray(loss, float)
    middle = int(np.clip(y.argmin(), 1, len(x) - 2))
    bend, slope, least = np.polyfit(x[middle - 1 : middle + 2], y[middle - 1 : middle + 2], 2)
    lowest = -slope / (2 * bend) if bend > 0 else x[y.argmin()]
    best = float(np.clip(lowest, x[middle - 1], x[middle + 1]))
    value = min(float(np.polyval([bend, slope, least], best)), float(y.min()))
    limit = value + AS_GOOD * abs(value)
    return FocalRange(*np.exp([best, *_where_as_good(x, y, best, value, limit)]).tolist())


def _where_as_good(
    x: Float[np.ndarray, " k"], y: Float[np.ndarray, " k"], best: float, value: float, limit: float
) -> tuple[float, float]:
    """The first places on both sides of the best where the loss reaches the limit, or the ends of what was tried."""

    def reach(places: list[tuple[float, float]]) -> float:
        before = (best, value)
        for place, found in places:
            if found > limit:
                # The loss grows with the square of the distance from its least value.
                share = np.sqrt((limit - before[1]) / (found - before[1]))
                return before[0] + share * (place - before[0])
            before = (place, found)
        return before[0]

    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    low = reach([pair for pair in reversed(pairs) if pair[0] < best])
    high = reach([pair for pair in pairs if pair[0] > best])
    return low, high
