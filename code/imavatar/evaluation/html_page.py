"""Pages that need no other file and no network: pictures, videos and plots are inside."""

import base64
import html
import math
from collections.abc import Mapping, Sequence

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1200px; color: #222; padding: 0 1em }
table { border-collapse: collapse; font-size: 13px; margin: 0.5em 0 } td, th { padding: 3px 9px; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f3f3f3 }
figure { margin: 1em 0; overflow-x: auto } figcaption, .made { color: #666; font-size: 12px }
figure img, video { max-width: 100% } .frames { display: flex; flex-wrap: wrap; gap: 8px } .frames figure { margin: 0 }
.frames img { width: 150px; image-rendering: pixelated } select, input { font: inherit } code, pre { font-size: 12px }
pre { overflow-x: auto; background: #f6f6f6; padding: 0.6em } .plots { display: flex; flex-wrap: wrap; gap: 12px }
.plots figure { margin: 0 } .strips img { width: 380px } summary { cursor: pointer }
"""

WIDTH, HEIGHT = 290, 150
LEFT, RIGHT, TOP, BOTTOM = 60, 8, 20, 20
LOGARITHMIC_FROM = 30.0
"""Positive values whose largest is more than this times the smallest are shown on a logarithmic axis."""


def page(title: str, body: Sequence[str], scripts: str = "") -> str:
    """A whole page; `body` and `scripts` are HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{''.join(body)}{scripts}</body></html>\n"
    )


def facts_table(facts: Mapping[str, str]) -> str:
    """Names and values, a row each."""
    rows = (f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in facts.items())
    return f"<table>{''.join(rows)}</table>"


def picture(content: bytes, caption: str, kind: str = "image/png") -> str:
    """A figure of an encoded picture."""
    text = html.escape(caption)
    return f'<figure><img src="{data_url(content, kind)}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def data_url(content: bytes, kind: str) -> str:
    """A file's content as an address, `kind` being its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def line_plot(title: str, x: Sequence[float], y: Sequence[float | None]) -> str:
    """A curve as SVG with its extremes at the axes; what is missing or not finite interrupts it."""
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
