"""Plots of errors against how hard a frame is, and grids of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from imavatar.data.images import write_png
from imavatar.evaluation.metrics import METRICS
from imavatar.files.atomic import replacing
from imavatar_lab.reproduce.plan import EXTRAPOLATION, INTERPOLATION, METHODS
from imavatar_lab.reproduce.results import Row, in_bins

Image = UInt8[np.ndarray, "h w 3"]

N_BINS = 5
PLOTTED = ("expression_error", "normal_error", "lpips", "mae")
AXES = {"strength": "expression strength (length of the coefficients)", "jaw": "jaw angle (radians)"}
HEADER, SIDE = 22, 104
"""Pixels of a grid's labels."""


def plot_errors(rows: Sequence[Row], by: str, protocol: str, path: Path) -> Path:
    """A panel a number, a line a method, over the frames of interpolation and extrapolation in bins of equal counts.

    Bars are standard errors over subjects.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chosen = [r for r in rows if r.protocol == protocol and r.sequence in (INTERPOLATION, EXTRAPOLATION)]
    shown = [name for name in PLOTTED if any(r.values.get(name) is not None for r in chosen)]
    edges = bin_edges([getattr(row, by) for row in chosen])
    figure, panels = pyplot.subplots(1, len(shown), figsize=(4 * len(shown), 3.4), squeeze=False)
    for panel, name in zip(panels[0], shown, strict=True):
        for number, method in enumerate(METHODS):
            own = [row for row in chosen if row.method == method.name]
            found = in_bins(own, by, name, edges)
            points = [(0.5 * (a + b), m) for a, b, m in zip(edges[:-1], edges[1:], found, strict=True) if m is not None]
            if points:
                x, means = zip(*points, strict=True)
                errors = [m.error or 0.0 for m in means]
                panel.errorbar(
                    x,
                    [m.mean for m in means],
                    yerr=errors,
                    color=f"C{number}",
                    label=method.label,
                    marker="o",
                    markersize=3,
                    capsize=2,
                )
        unit = METRICS[name].unit
        panel.set(xlabel=AXES[by], ylabel=f"{METRICS[name].label} {f'({unit})' if unit else ''}")
        panel.set_ylim(bottom=0)
    panels[0][-1].legend(fontsize=7)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without a date in the file, the same numbers give the same file.
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    return path


def bin_edges(values: Sequence[float]) -> list[float]:
    """Edges of N_BINS bins that hold as many values each; fewer where values repeat."""
    ordered = sorted(values)
    return sorted({ordered[k * (len(ordered) - 1) // N_BINS] for k in range(N_BINS + 1)})


@dataclass(frozen=True)
class Grid:
    """Rows of pictures of one size; None leaves a place empty."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Image | None, ...]], ...]


def draw_grid(grid: Grid, path: Path) -> Path:
    """Write a grid with its labels."""
    height, width = next(image.shape[:2] for _, images in grid.rows for image in images if image is not None)
    canvas = np.full((HEADER + height * len(grid.rows), SIDE + width * len(grid.columns), 3), 255, np.uint8)
    for column, label in enumerate(grid.columns):
        _write(canvas, label, SIDE + column * width, HEADER - 7, width)
    for row, (label, images) in enumerate(grid.rows):
        top = HEADER + row * height
        _write(canvas, label, 2, top + height // 2, SIDE)
        for column, image in enumerate(images):
            if image is not None:
                left = SIDE + column * width
                canvas[top : top + height, left : left + width] = image
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, canvas)
    return path


def _write(canvas: Image, text: str, x: int, y: int, width: int) -> None:
    """Text from (x, y) on, as large as the width allows, but no larger than the header."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    (needed, _), _ = cv2.getTextSize(text, font, 0.4, 1)
    scale = 0.4 * min(1.0, (width - 6) / max(needed, 1))
    cv2.putText(canvas, text, (x + 3, y), font, scale, (0, 0, 0), 1, cv2.LINE_AA)
