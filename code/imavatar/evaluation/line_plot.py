"""Curves as SVG, small enough to be put into pages by the dozen."""

import html
import math
from collections.abc import Sequence

WIDTH, HEIGHT = 290, 150
LEFT, RIGHT, TOP, BOTTOM = 60, 8, 20, 20
LOGARITHMIC_FROM = 30.0
"""Positive values whose largest is more than this times the smallest are shown on a logarithmic axis."""


def line_plot(title: str, x: Sequence[float], y: Sequence[float | None]) -> str:
    """A curve with its extremes at the axes; what is missing or not finite interrupts it.

    Raises:
        ValueError: x and y differ in length.
    """
    points = [(a, b if b is not None and math.isfinite(b) else None) for a, b in zip(x, y, strict=True)]
    known = [(a, b) for a, b in points if b is not None]
    head = f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" font-size="11" font-family="system-ui, sans-serif">'
    label = f'<text x="{LEFT}" y="13" font-weight="600">{html.escape(title)}</text>'
    if not known:
        return f'{head}{label}<text x="{LEFT}" y="{HEIGHT / 2}" fill="#777">no values</text></svg>'
    low, high = min(b for _, b in known), max(b for _, b in known)
    logarithmic = low > 0 and high > LOGARITHMIC_FROM * low
    across = _scale(min(a for a, _ in known), max(a for a, _ in known), LEFT, WIDTH - RIGHT)
    up = _scale(*(_axis(value, logarithmic) for value in (low, high)), HEIGHT - BOTTOM, TOP)
    drawn = "".join(
        f'<polyline points="{" ".join(run)}" fill="none" stroke="#1f6fb4" stroke-width="1.5"/>'
        if len(run) > 1
        else f'<circle cx="{run[0].split(",")[0]}" cy="{run[0].split(",")[1]}" r="2" fill="#1f6fb4"/>'
        for run in _runs([None if b is None else (across(a), up(_axis(b, logarithmic))) for a, b in points])
    )
    frame = (
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#999"/>'
        f'<g fill="#555"><text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{high:.3g}</text>'
        f'<text x="{LEFT - 4}" y="{HEIGHT - BOTTOM}" text-anchor="end">{low:.3g}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{known[0][0]:g}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{known[-1][0]:g}</text></g>'
    )
    note = f'<text x="{WIDTH - RIGHT}" y="13" text-anchor="end" fill="#777">log</text>' if logarithmic else ""
    return f"{head}{label}{note}{frame}{drawn}</svg>"


def _axis(value: float, logarithmic: bool) -> float:
    return math.log(value) if logarithmic else value


def _scale(low: float, high: float, start: float, end: float):
    """From [low, high] to [start, end]; to the middle where there is but one value."""
    span = high - low
    return lambda value: start + (end - start) * ((value - low) / span if span > 0 else 0.5)


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[str]]:
    """Stretches without a gap, as SVG's coordinates."""
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{point[0]:.1f},{point[1]:.1f}")
    return [run for run in runs if run]
