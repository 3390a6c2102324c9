"""A comparison of looks as files: numbers, a line a frame, and curves over time."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from imavatar.evaluation.curve_plot import Panel, write_plot
from imavatar.evaluation.face_descriptor import similarity
from imavatar.evaluation.looks import GAZE, MEANING, Looks
from imavatar.evaluation.tables import write_rows
from imavatar.files.atomic import write_text
from imavatar.head.apertures import APERTURES

FILE = "looks.json"
PICTURE, RENDERING = "picture", "rendering"


def write_looks(folder: Path, looks: Looks, notes: Sequence[str] = ()) -> None:
    """Write `looks.csv` with a line a frame, `looks.png` with the curves and, last, `looks.json` with the numbers.

    Args:
        folder: is made where it is not there.
        looks: the comparison.
        notes: why numbers are missing.

    Raises:
        DataError: the picture cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_frames(folder / "looks.csv", looks)
    if len(looks.time):
        write_plot(folder / "looks.png", looks.time, list(_panels(looks)))
    content = {"values": looks.values, "meaning": MEANING, "notes": list(notes)}
    write_text(folder / FILE, json.dumps(content, indent=2) + "\n")


def _write_frames(path: Path, looks: Looks) -> None:
    columns = {
        f"{name}_{kind}": values[:, k]
        for names, both in (
            (APERTURES, (looks.pictured, looks.drawn)),
            (GAZE, (looks.gaze_pictured, looks.gaze_drawn)),
        )
        for k, name in enumerate(names)
        for kind, values in zip((PICTURE, RENDERING), both, strict=True)
    }
    columns["identity_distance"] = looks.distance
    rows = (
        ((str(number),), {name: _known(values[k]) for name, values in columns.items()})
        for k, number in enumerate(looks.time.tolist())
    )
    write_rows(path, ("frame",), rows, columns)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _panels(looks: Looks) -> Iterator[Panel]:
    for k, name in enumerate(APERTURES):
        curves = {PICTURE: looks.pictured[:, k], RENDERING: looks.drawn[:, k]}
        yield Panel(f"{name.replace('_', ' ')}: aperture, share of the face's height", curves, from_zero=True)
    for k, name in enumerate(GAZE):
        curves = {PICTURE: looks.gaze_pictured[:, k], RENDERING: looks.gaze_drawn[:, k]}
        yield Panel(f"{name.replace('_', ' ')}: iris between the eye's corners, share of its width", curves)
    if np.isfinite(looks.distance).any():
        alike = np.array([similarity(value) for value in looks.distance.tolist()])
        yield Panel("identity: 1 for the same picture, about 0 for other people", {"": alike})
