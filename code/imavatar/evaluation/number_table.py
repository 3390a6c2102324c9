"""A table of numbers with a column a recording, and the mean or sum of all."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SHARE = 100.0
"""Factor of a share that is shown in per cent."""


@dataclass(frozen=True)
class Column:
    """How a number is shown: its heading, how often it is counted, its digits, and whether columns sum up."""

    label: str
    factor: float = 1.0
    digits: int = 2
    summed: bool = False


def table(columns: Mapping[str, Column], rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """Markdown: a line a number, a column a recording, and the mean of those that have the number (counts: the sum)."""
    lines = [["", *rows, "mean"]]
    for name, column in columns.items():
        values = [row.get(name) for row in rows.values()]
        known = [value for value in values if value is not None]
        total = None if not known else sum(known) if column.summed else float(np.mean(known))
        lines.append([column.label, *(_shown(value, column) for value in (*values, total))])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    shown = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def _shown(value: float | None, column: Column) -> str:
    return "-" if value is None else f"{column.factor * value:.{column.digits}f}"
