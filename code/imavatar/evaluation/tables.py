"""Per-frame metrics to tables: CSV and back, a summary for terminals, Markdown."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imavatar.evaluation.metrics import METRICS
from imavatar.files.atomic import write_text

FRAME_COLUMNS = ("sub_dir", "frame")


@dataclass(frozen=True)
class FrameScores:
    """The metrics of one frame by name; None where undefined."""

    sub_dir: str
    frame: str
    values: dict[str, float | None]


@dataclass(frozen=True)
class MetricSummary:
    """A metric over the frames where it is defined; the numbers are None where there is no such frame."""

    name: str
    n_frames: int
    mean: float | None
    deviation: float | None
    worst: float | None
    worst_frame: str | None


def summarise(scores: Sequence[FrameScores]) -> list[MetricSummary]:
    """Every metric's mean, standard deviation over the frames and worst frame, in the order of METRICS."""
    shown = (name for name, info in METRICS.items() if not info.optional or any(name in s.values for s in scores))
    return [_summarise_metric(name, scores) for name in shown]


def _summarise_metric(name: str, scores: Sequence[FrameScores]) -> MetricSummary:
    defined = [s for s in scores if s.values.get(name) is not None]
    if not defined:
        return MetricSummary(name, 0, None, None, None, None)
    values = [s.values[name] for s in defined]
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
    choose = min if METRICS[name].higher_is_better else max
    worst = choose(defined, key=lambda s: s.values[name])
    return MetricSummary(name, len(values), mean, deviation, worst.values[name], f"{worst.sub_dir}/{worst.frame}")


def text_table(summaries: Sequence[MetricSummary]) -> str:
    """The summary in columns for a terminal."""
    rows = [_HEADER, *map(_cells, summaries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def markdown_table(summaries: Sequence[MetricSummary]) -> str:
    """The summary as a Markdown table."""
    rows = [_HEADER, *map(_cells, summaries)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "| --- | ---: | ---: | ---: | --- | ---: | --- |")
    return "\n".join(lines)


_HEADER = ("metric", "mean", "std", "worst", "in frame", "frames", "unit")


def _cells(summary: MetricSummary) -> tuple[str, ...]:
    info = METRICS[summary.name]
    better = "higher is better" if info.higher_is_better else "lower is better"
    numbers = (summary.mean, summary.deviation, summary.worst)
    shown = ("not available" if v is None else f"{v:.{info.digits}f}" for v in numbers[:1])
    others = ("" if v is None else f"{v:.{info.digits}f}" for v in numbers[1:])
    unit = f"{info.unit}, {better}" if info.unit else better
    return (info.label, *shown, *others, summary.worst_frame or "", str(summary.n_frames), unit)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    numeric = {1, 2, 3, 5}
    return [
        cell.rjust(width) if i in numeric else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def write_scores(path: Path, scores: Sequence[FrameScores]) -> None:
    """One line a frame; an empty cell where a metric is undefined."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FRAME_COLUMNS, *METRICS])
    for row in scores:
        values = (row.values.get(name) for name in METRICS)
        cells = ("" if value is None else f"{value:.6g}" for value in values)
        writer.writerow([row.sub_dir, row.frame, *cells])
    write_text(path, text.getvalue())
