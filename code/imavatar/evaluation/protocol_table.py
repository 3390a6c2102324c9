"""Means of several runs under one protocol, as a table for a terminal."""

from collections.abc import Sequence

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


def _cell(name: str, value: float | None) -> str:
    return "" if value is None else f"{value:.{MEASURES[name].digits}f}"
