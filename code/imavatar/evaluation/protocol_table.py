"""Means of several runs under one protocol, as a table for a terminal."""

import math
from collections.abc import Sequence
from numbers import Real
from pathlib import Path

from imavatar.data.subject import read_json
from imavatar.errors import DataError
from imavatar.evaluation.protocol_scores import MEASURES


def protocol_table(results: Sequence[tuple[str, dict]]) -> str:
    """A row a result; above them the protocol, which is that of all.

    Args:
        results: names, and contents of `protocol_NAME.json`.
    """
    shown = [name for name in MEASURES if any(content["mean"][name] is not None for _, content in results)]
    header = ["run", *(f"{MEASURES[n].label} {MEASURES[n].unit}".strip() for n in shown)]
    rows = [header, *([name, *(_cell(n, content["mean"][n]) for n in shown)] for name, content in results)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]))
    first = results[0][1]
    height, width = first["size"]
    title = f"protocol: {first['protocol']} ({first['pixels']}), {height} x {width}; fitted: {first['fitted']}"
    return "\n".join([title, *lines])


def read_results(path: Path) -> dict:
    """The content of a `protocol_NAME.json`, with what the table shows of it.

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
    size, mean = content.get("size"), content.get("mean")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise DataError(f"{path}: size is {size!r:.80}, expected height and width; {advice}")
    for name in MEASURES:
        value = mean.get(name) if isinstance(mean, dict) else None
        known = isinstance(mean, dict) and name in mean
        if not known or not (value is None or (isinstance(value, Real) and math.isfinite(value))):
            raise DataError(f"{path}: mean.{name} is {value!r:.80}, expected a number or null; {advice}")
    return content


def _cell(name: str, value: float | None) -> str:
    return "" if value is None else f"{value:.{MEASURES[name].digits}f}"
