"""Curves over the frames of a recording as a picture: panels below each other, in each the same quantity twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from imavatar.data.images import write_png

WIDTH, HEIGHT = 1200, 150
"""Of a panel, pixels."""
LEFT, RIGHT, TOP, BOTTOM = 70, 12, 26, 22
COLOURS = ((40, 40, 40), (225, 110, 20), (30, 110, 180))
"""Of the first curve, the second, and so on."""
INK, FRAME = (90, 90, 90), (200, 200, 200)
FONT, FONT_SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.45
SUBPIXEL = 4
"""Bits after the point of the coordinates that lines are drawn with."""


@dataclass(frozen=True)
class Panel:
    """A heading, and curves by their labels; a value that is not finite interrupts a curve.

    `from_zero`: the axis begins at zero, not at the least value.
    """

    title: str
    curves: dict[str, Float[np.ndarray, " n"]]
    from_zero: bool = False


def write_plot(path: Path, time: Int[np.ndarray, " n"], panels: Sequence[Panel]) -> None:
    """Draw panels with a common time axis into a PNG file.

    Args:
        path: of the file.
        time: numbers of the frames; curves are interrupted where one is missing.
        panels: at least one.

    Raises:
        DataError: the file cannot be written.
    """
    write_png(path, np.concatenate([_draw(panel, time) for panel in panels]))


def _draw(panel: Panel, time: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "h w 3"]:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    cv2.rectangle(image, (LEFT, TOP), (WIDTH - RIGHT, HEIGHT - BOTTOM), FRAME)
    _write(image, panel.title, (LEFT, TOP - 8), INK)
    place = WIDTH - RIGHT
    for label, colour in reversed(list(zip(panel.curves, COLOURS, strict=False))):
        place -= cv2.getTextSize(label, FONT, FONT_SIZE, 1)[0][0] + 16
        _write(image, label, (place, TOP - 8), colour)
    values = np.concatenate([*panel.curves.values(), []])
    values = values[np.isfinite(values)]
    if not len(values):
        _write(image, "no values", (LEFT + 8, HEIGHT // 2), INK)
        return image
    low, high = 0.0 if panel.from_zero else float(values.min()), float(values.max())
    for value, y in ((high, TOP + 10), (low, HEIGHT - BOTTOM)):
        _write(image, f"{value:.3g}", (4, y), INK)
    for number, x in ((time[0], LEFT), (time[-1], WIDTH - RIGHT - 40)):
        _write(image, str(number), (x, HEIGHT - 6), INK)
    across = LEFT + (WIDTH - RIGHT - LEFT) * (time - time[0]) / max(1, time[-1] - time[0])
    for curve, colour in zip(panel.curves.values(), COLOURS, strict=False):
        up = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (curve - low) / max(high - low, 1e-12)
        for run in _runs(curve, time):
            points = np.stack([across[run], up[run]], axis=1) * (1 << SUBPIXEL)
            cv2.polylines(image, [points.round().astype(np.int32)], False, colour, 1, cv2.LINE_AA, SUBPIXEL)
    return image


def _runs(values: Float[np.ndarray, " n"], time: Int[np.ndarray, " n"]) -> list[Int[np.ndarray, " k"]]:
    """Rows of each stretch of known values in frames that follow each other."""
    known = np.flatnonzero(np.isfinite(values))
    gap = (np.diff(known) > 1) | (np.diff(time[known]) != 1)
    return [run for run in np.split(known, np.flatnonzero(gap) + 1) if len(run)]


def _write(image: UInt8[np.ndarray, "h w 3"], text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, place, FONT, FONT_SIZE, colour, 1, cv2.LINE_AA)
