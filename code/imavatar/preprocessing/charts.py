"""Curves over the frames of recordings as SVG, which a page's style sheet colours."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

WIDTH, HEIGHT = 900, 170
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 26, 24
MOST_POINTS = 1600
"""Of a curve: of more, each stretch's extremes are drawn."""
TICKS_ACROSS, TICKS_UP = 8, 4
MARK_HEIGHT = 7
MARGIN = 0.06
"""Of the values' range, above and below."""


@dataclass(frozen=True)
class Curve:
    """A value a frame, and how it is called and drawn: in one of the style sheet's colours, dashed or not."""

    label: str
    values: Float[np.ndarray, " n"]
    colour: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class TimeAxis:
    """What all charts of a page have in common.

    Attributes:
        label: what `x` counts, such as `seconds`.
        x: place of each frame.
        follows: whether a frame follows the one before it without a gap; curves are interrupted where not.
        marks: places of frames that were left out.
        parts: where each recording begins, and its name.
    """

    label: str
    x: Float[np.ndarray, " n"]
    follows: Bool[np.ndarray, " n"]
    marks: Float[np.ndarray, " m"]
    parts: Sequence[tuple[float, str]] = ()

    @property
    def limits(self) -> tuple[float, float]:
        """The first and the last place."""
        places = np.concatenate([self.x, self.marks, [start for start, _ in self.parts]])
        return float(places.min()), float(places.max())


def time_chart(title: str, curves: Sequence[Curve], axis: TimeAxis) -> str:
    """A chart of some curves with a common scale; the title says the unit, and the page may move its `cursor` line.

    Values that are not finite interrupt a curve.
    """
    across = _scale(*axis.limits, LEFT, WIDTH - RIGHT)
    low, high = _range(curves)
    up = _scale(low, high, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<text class="title" x="{LEFT}" y="14">{html.escape(title)}</text>',
        _legend(curves),
        _grid(axis, across, low, high, up),
        *(_path(curve, axis, across, up) for curve in curves),
        _marks(axis, across),
        f'<path class="cursor" d="M0 {TOP}V{HEIGHT - BOTTOM}" visibility="hidden"/>',
    ]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">{"".join(parts)}</svg>'


@dataclass(frozen=True)
class _Scale:
    """A linear map."""

    start: float
    factor: float
    offset: float

    def __call__(self, value: float) -> float:
        return self.start + self.factor * (value - self.offset)


def _scale(low: float, high: float, start: float, end: float) -> _Scale:
    """From [low, high] to [start, end]; to the middle where there is but one value."""
    if high <= low:
        return _Scale((start + end) / 2, 0.0, low)
    return _Scale(start, (end - start) / (high - low), low)


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """What the vertical axis shows: all values, and a little more."""
    values = np.concatenate([curve.values for curve in curves])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low) or max(abs(high), 1.0) * MARGIN
    return low - margin, high + margin


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between two limits, about so many: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _grid(axis: TimeAxis, across: _Scale, low: float, high: float, up: _Scale) -> str:
    """Lines and numbers, and where recordings begin."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    drawn = []
    for value in ticks(low, high, TICKS_UP):
        y = up(value)
        drawn.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in ticks(*axis.limits, TICKS_ACROSS):
        drawn.append(f'<text x="{across(value):.1f}" y="{bottom + 15}" text-anchor="middle">{value:g}</text>')
    for start, name in axis.parts if len(axis.parts) > 1 else ():
        x = across(start)
        drawn.append(f'<path class="part" d="M{x:.1f} {TOP}V{bottom}"/>')
        drawn.append(f'<text x="{x + 3:.1f}" y="{TOP + 10}">{html.escape(name)}</text>')
    drawn.append(f'<text x="2" y="{bottom + 15}">{html.escape(axis.label)}</text>')
    return "".join(drawn)


def _legend(curves: Sequence[Curve]) -> str:
    """Names from the right upper corner, where there are several curves."""
    if len(curves) < 2:
        return ""
    spans = "".join(
        f'<tspan class="c{curve.colour}">\u2003{"┄" if curve.dashed else "━"} {html.escape(curve.label)}</tspan>'
        for curve in curves
    )
    return f'<text x="{WIDTH - RIGHT}" y="14" text-anchor="end">{spans}</text>'


def _path(curve: Curve, axis: TimeAxis, across: _Scale, up: _Scale) -> str:
    interrupted = ~(axis.follows & np.isfinite(curve.values))
    steps, previous = [], None
    for row in _shown_rows(curve.values).tolist():
        joined = previous is not None and not interrupted[previous + 1 : row + 1].any()
        place = f"{across(float(axis.x[row])):.1f} {up(float(curve.values[row])):.1f}"
        # A line of no length is a dot: a frame without neighbours is seen, too.
        steps.append(f"L{place}" if joined else f"M{place}h0")
        previous = row
    dashed = " dashed" if curve.dashed else ""
    return f'<path class="curve c{curve.colour}{dashed}" d="{"".join(steps)}"/>'


def _shown_rows(values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
    """Those with a finite value; of many the extremes of short stretches: a blink of three frames stays visible."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= MOST_POINTS:
        return known
    stretches = np.array_split(known, MOST_POINTS // 2)
    return np.unique([part[find(values[part])] for part in stretches for find in (np.argmin, np.argmax)])


def _marks(axis: TimeAxis, across: _Scale) -> str:
    """Short strokes on the axis."""
    places = sorted({f"{across(x):.1f}" for x in axis.marks.tolist()})
    path = "".join(f"M{x} {HEIGHT - BOTTOM}v-{MARK_HEIGHT}" for x in places)
    return f'<path class="left-out" d="{path}"/>' if path else ""
