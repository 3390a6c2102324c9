"""The scores of all runs in one table, and what methods reach on average."""

import csv
import io
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imavatar.errors import DataError
from imavatar.evaluation.metrics import METRICS
from imavatar.files.atomic import write_text

KEYS = ("subject", "method", "protocol", "sequence", "frame", "strength", "jaw")


@dataclass(frozen=True)
class Row:
    """The numbers of one frame of one run."""

    subject: str
    method: str
    protocol: str
    sequence: str
    frame: str
    strength: float
    jaw: float
    values: dict[str, float | None]


@dataclass(frozen=True)
class Mean:
    """Over subjects, each the mean of its frames: mean, its standard error (None for one subject), how many."""

    mean: float
    error: float | None
    subjects: int


def read_protocol(path: Path, subject: str, method: str) -> list[Row]:
    """The frames of a `protocol_NAME.csv` of an evaluation."""
    return [
        _row({**line, "subject": subject, "method": method, "sequence": line["sub_dir"]}, path) for line in _lines(path)
    ]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """All rows as CSV; an empty cell where a number is undefined."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*KEYS, *METRICS])
    for row in rows:
        cells = ["" if row.values.get(name) is None else f"{row.values[name]:.6g}" for name in METRICS]
        writer.writerow([*(getattr(row, key) for key in KEYS), *cells])
    write_text(path, text.getvalue())


def read_rows(path: Path) -> list[Row]:
    """Rows as `write_rows` writes them."""
    return [_row(line, path) for line in _lines(path)]


def _lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table of scores: {error}") from error


def _row(line: dict[str, str], path: Path) -> Row:
    try:
        values = {name: float(line[name]) if line[name] else None for name in METRICS}
        texts = {key: line[key] for key in KEYS if key not in ("strength", "jaw")}
        return Row(**texts, strength=float(line["strength"]), jaw=float(line["jaw"]), values=values)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: a line lacks a column or a number: {error}") from error


def over_subjects(rows: Sequence[Row], measure: str) -> Mean | None:
    """A number of some rows of one method; None where it is undefined in all of them."""
    by_subject: dict[str, list[float]] = {}
    for row in rows:
        if row.values.get(measure) is not None:
            by_subject.setdefault(row.subject, []).append(row.values[measure])
    means = [math.fsum(values) / len(values) for values in by_subject.values()]
    if not means:
        return None
    mean = math.fsum(means) / len(means)
    if len(means) == 1:
        return Mean(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in means) / (len(means) - 1)
    return Mean(mean, math.sqrt(variance / len(means)), len(means))


def in_bins(rows: Sequence[Row], by: str, measure: str, edges: Sequence[float]) -> list[Mean | None]:
    """A number over frames whose `by` (strength or jaw) lies between one edge and the next; the last one counts."""
    found = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        last = k == len(edges) - 2
        part = [row for row in rows if low <= getattr(row, by) < high or (last and getattr(row, by) == high)]
        found.append(over_subjects(part, measure))
    return found
