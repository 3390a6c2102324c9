"""Scores of frames as tables: their means, as files and for a terminal."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from imavatar.data.subject import read_json
from imavatar.errors import DataError
from imavatar.evaluation.metrics import METRICS, MetricInfo
from imavatar.evaluation.protocols import Protocol
from imavatar.evaluation.scoring import FrameScores, Values
from imavatar.files.atomic import write_text


@dataclass(frozen=True)
class MetricSummary:
    """A metric over the frames where it is defined; the numbers are None where there is no such frame."""

    name: str
    info: MetricInfo
    n_frames: int
    mean: float | None
    deviation: float | None
    worst: float | None
    worst_frame: str | None


def summarise(
    scores: Sequence[FrameScores], metrics: Mapping[str, MetricInfo] = METRICS, *, all_metrics: bool = False
) -> list[MetricSummary]:
    """Every metric's mean, standard deviation over the frames and worst frame, in the order of the metrics.

    Optional ones that no frame has are left out unless `all_metrics` are asked for.
    """
    names = {name for s in scores for name in s.values}
    shown = (name for name, info in metrics.items() if all_metrics or not info.optional or name in names)
    return [_summarise_metric(name, metrics[name], scores) for name in shown]


def _summarise_metric(name: str, info: MetricInfo, scores: Sequence[FrameScores]) -> MetricSummary:
    defined = [s for s in scores if s.values.get(name) is not None]
    if not defined:
        return MetricSummary(name, info, 0, None, None, None, None)
    # Exact sums: a mean doesn't depend on the order of the frames.
    values = [s.values[name] for s in defined]
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
    choose = min if info.higher_is_better else max
    worst = choose(defined, key=lambda s: s.values[name])
    return MetricSummary(name, info, len(values), mean, deviation, worst.values[name], f"{worst.sub_dir}/{worst.frame}")


def text_table(summaries: Sequence[MetricSummary]) -> str:
    """The summary in columns for a terminal."""
    lines = [line.rstrip() for line in _columns([_HEADER, *map(_cells, summaries)], left={0, 4, 6})]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def markdown_table(summaries: Sequence[MetricSummary]) -> str:
    """The summary as a Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in (_HEADER, *map(_cells, summaries))]
    lines.insert(1, "| --- | ---: | ---: | ---: | --- | ---: | --- |")
    return "\n".join(lines)


_HEADER = ("metric", "mean", "std", "worst", "in frame", "frames", "unit")


def _cells(summary: MetricSummary) -> tuple[str, ...]:
    info = summary.info
    better = "higher is better" if info.higher_is_better else "lower is better"
    mean = "not available" if summary.mean is None else f"{summary.mean:.{info.digits}f}"
    others = ("" if v is None else f"{v:.{info.digits}f}" for v in (summary.deviation, summary.worst))
    unit = f"{info.unit}, {better}" if info.unit else better
    return (info.label, mean, *others, summary.worst_frame or "", str(summary.n_frames), unit)


def _columns(rows: Sequence[Sequence[str]], left: set[int]) -> list[str]:
    """Lines of aligned cells; those of the columns in `left` begin at their column's left edge."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    align = [str.ljust if k in left else str.rjust for k in range(len(widths))]
    return ["  ".join(f(cell, w) for f, cell, w in zip(align, row, widths, strict=True)) for row in rows]


def write_rows(
    path: Path, header: Sequence[str], rows: Iterable[tuple[Sequence[str], Values]], names: Iterable[str]
) -> None:
    """A CSV file: columns of text, then those of named metrics with six digits, empty where one is undefined."""
    names, text = list(names), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*header, *names])
    for texts, values in rows:
        writer.writerow([*texts, *("" if values.get(n) is None else f"{values[n]:.6g}" for n in names)])
    write_text(path, text.getvalue())


@dataclass(frozen=True)
class ProtocolMeans:
    """The means of a sequence under one protocol, and what they are of: the content of a `protocol_NAME.json`.

    `protocol` tells with its name whether parameters were fitted to the pictures, `fitted` which; `pixels` are those
    that count, `size` is the images' height and width. A mean is None where a metric is defined in no frame. Of all
    `frames`, in `counted` the protocol's pixels are seen. `split` is how the subject's frames were divided, None where
    that is not known.
    """

    protocol: str
    pixels: str
    size: tuple[int, int]
    fitted: str
    frames: int
    mean: Values
    counted: int
    split: str | None = None


def protocol_file(folder: Path, name: str, *, fitted: bool) -> Path:
    """Where the means of a sequence under a protocol are; the frames' scores are beside them, `.csv`."""
    return folder / f"protocol_{name}{'_fit' if fitted else ''}.json"


def write_protocol(
    folder: Path,
    scores: Sequence[FrameScores],
    protocol: Protocol,
    *,
    size: tuple[int, int],
    fitted: bool = False,
    split: str | None = None,
) -> ProtocolMeans:
    """Write `protocol_NAME[_fit].csv` with a line a frame and, last, `.json` with the means; see `ProtocolMeans`."""
    means = ProtocolMeans(
        protocol=protocol.name + (" with a fit to each picture" if fitted else ""),
        pixels=protocol.description,
        size=size,
        fitted="expression and pose of every frame, to its picture" if fitted else "nothing",
        frames=len(scores),
        mean={m.name: m.mean for m in summarise(scores, all_metrics=True)},
        counted=sum(s.values.get("mae") is not None for s in scores),
        split=split,
    )
    path = protocol_file(folder, protocol.name, fitted=fitted)
    folder.mkdir(parents=True, exist_ok=True)
    rows = (((means.protocol, s.sub_dir, s.frame, f"{s.strength:.4f}", f"{s.jaw:.4f}"), s.values) for s in scores)
    write_rows(path.with_suffix(".csv"), ("protocol", "sub_dir", "frame", "strength", "jaw"), rows, METRICS)
    content = {
        **vars(means),
        "meaning": {key: info.meaning for key, info in METRICS.items()},
        "units": {key: info.unit or "none" for key, info in METRICS.items()},
    }
    write_text(path, json.dumps(content, indent=2) + "\n")
    return means


def read_protocol(path: Path) -> ProtocolMeans:
    """What `write_protocol` has written.

    Raises:
        DataError: it cannot be read, or lacks something.
    """
    content = read_json(path)
    advice = "delete the file, or score again with --again"
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds {type(content).__name__}, expected a protocol's results; {advice}")
    for name in ("protocol", "pixels", "fitted"):
        if not isinstance(content.get(name), str):
            raise DataError(f"{path}: {name} is {content.get(name)!r:.80}, expected text; {advice}")
    size, mean, frames = content.get("size"), content.get("mean"), content.get("frames")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise DataError(f"{path}: size is {size!r:.80}, expected height and width; {advice}")
    if not isinstance(frames, int):
        raise DataError(f"{path}: frames is {frames!r:.80}, expected how many there are; {advice}")
    # Older files do not have these two; their protocols' pixels are seen in every frame.
    counted, split = content.get("counted", frames), content.get("split")
    if not isinstance(counted, int):
        raise DataError(f"{path}: counted is {counted!r:.80}, expected a number of frames; {advice}")
    if split is not None and not isinstance(split, str):
        raise DataError(f"{path}: split is {split!r:.80}, expected text; {advice}")
    means = mean if isinstance(mean, dict) else {}
    for name in METRICS:
        value = means.get(name)
        if name not in means or not (value is None or (isinstance(value, Real) and math.isfinite(value))):
            raise DataError(f"{path}: mean.{name} is {value!r:.80}, expected a number or null; {advice}")
    protocol, pixels, fitted = (content[name] for name in ("protocol", "pixels", "fitted"))
    return ProtocolMeans(protocol, pixels, tuple(size), fitted, frames, mean, counted, split)


def protocol_table(results: Sequence[tuple[str, ProtocolMeans]]) -> str:
    """A row a named result, with its split and frames; above them the protocol, which is that of all."""
    shown = [name for name in METRICS if any(means.mean[name] is not None for _, means in results)]
    rows = [["run", "split", "frames", *(f"{METRICS[n].label} {METRICS[n].unit}".strip() for n in shown)]]
    for name, means in results:
        values = ((means.mean[n], METRICS[n].digits) for n in shown)
        counted = str(means.frames) if means.counted == means.frames else f"{means.counted} of {means.frames}"
        texts = ("" if value is None else f"{value:.{digits}f}" for value, digits in values)
        rows.append([name, means.split or "-", counted, *texts])
    first = results[0][1]
    size = "{} x {}".format(*first.size)
    title = f"protocol: {first.protocol} ({first.pixels}), {size}; fitted: {first.fitted}"
    return "\n".join([title, *_columns(rows, left={0, 1})])
