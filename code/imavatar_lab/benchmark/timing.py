"""Times of repeated work: CPU seconds of all threads, and wall seconds."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

MATRIX_SIZE = 4096


@dataclass(frozen=True)
class Seconds:
    """Medians of several runs."""

    cpu: float
    wall: float

    def times(self, factor: float) -> "Seconds":
        """As many of these as `factor` says."""
        return Seconds(factor * self.cpu, factor * self.wall)

    def averaged(self, other: "Seconds") -> "Seconds":
        """The mean of both."""
        return Seconds(0.5 * (self.cpu + other.cpu), 0.5 * (self.wall + other.wall))


class Stopwatch:
    """Accumulates the time spent in its `with` blocks."""

    def __init__(self):
        self.cpu = self.wall = 0.0

    def __enter__(self) -> "Stopwatch":
        _wait()
        self._start = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_) -> None:
        _wait()
        cpu, wall = self._start
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall


def timed(work: Callable[[], object], repeats: int, *, units: int = 1) -> Seconds:
    """Median time of one unit of work, which does `units` of them each time."""
    runs = []
    for _ in range(repeats):
        with Stopwatch() as watch:
            work()
        runs.append(watch)
    return Seconds(
        statistics.median(run.cpu for run in runs) / units, statistics.median(run.wall for run in runs) / units
    )


def matrix_product(repeats: int, device: torch.device) -> Seconds:
    """The product of two 4096 x 4096 single-precision matrices: what a machine's arithmetic can do."""
    a = torch.randn(MATRIX_SIZE, MATRIX_SIZE, generator=torch.Generator().manual_seed(0)).to(device)
    a @ a
    return timed(lambda: a @ a, repeats)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
