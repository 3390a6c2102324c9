"""Table, JSON file and plots of how well heads are tracked."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from imavatar.evaluation.number_table import SHARE, Column, table
from imavatar.files.atomic import replacing, write_text
from imavatar.head.apertures import APERTURES
from imavatar_lab.tracking.evaluation import Evaluated

_BLINKS = {
    "blinks_true": Column("blinks", digits=0, summed=True),
    "blinks_found": Column("found", digits=0, summed=True),
    "blinks_invented": Column("invented", digits=0, summed=True),
}
_COMMON = {"frames": Column("frames tracked, %", SHARE, 1), "seconds": Column("seconds", digits=0)}
SYNTHETIC = {
    **_COMMON,
    "focal_ratio": Column("focal length, tracked / true"),
    "rotation": Column("head's rotation, degrees"),
    "surface": Column("face's surface, mm"),
    "surface_posed": Column("the same, each frame moved, mm"),
    "lid_error": Column("lids, mm"),
    "lid_correlation": Column("lids, correlation", digits=3),
    **_BLINKS,
    "lip_error": Column("lips, mm"),
    "lip_correlation": Column("lips, correlation", digits=3),
    "gaze": Column("gaze, degrees"),
    "jaw": Column("jaw, degrees"),
    "silhouette": Column("silhouette, IoU", digits=3),
    "jitter": Column("jitter, mm", digits=3),
}
CLIP = {
    **_COMMON,
    **{
        name: Column(f"{name}, % of the face's height", SHARE)
        for name in ("lids", "irises", "lips", "brows", "oval", "rest")
    },
    "lid_error": Column("lids' aperture, %", SHARE),
    "lid_correlation": Column("the same, correlation", digits=3),
    "lip_error": Column("lips' aperture, %", SHARE),
    "lip_correlation": Column("the same, correlation", digits=3),
    **_BLINKS,
    "jitter": Column("jitter, %", SHARE, digits=3),
}


def plot_apertures(
    path: Path,
    time: Int[np.ndarray, " n"],
    curves: Sequence[tuple[str, Float[np.ndarray, "n 3"]]],
    unit: str,
) -> None:
    """A panel for each of lids and lips, a line for each of some curves.

    Args:
        curves: name and values of each.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(len(APERTURES), 1, figsize=(10, 6), sharex=True)
    for k, (panel, name) in enumerate(zip(panels, APERTURES, strict=True)):
        for label, values in curves:
            panel.plot(time, values[:, k], label=label, linewidth=1)
        panel.set(ylabel=f"{name.replace('_', ' ')}, {unit}")
        panel.set_ylim(bottom=0)
    panels[0].legend(loc="upper right")
    panels[-1].set_xlabel("frame")
    figure.tight_layout()
    with replacing(path) as temporary, open(temporary, "wb") as file:
        figure.savefig(file, format="png", dpi=100)
    pyplot.close(figure)


def write_results(out: Path, people: Sequence[Evaluated], clips: Sequence[Evaluated]) -> str:
    """`tracking.json`, `tracking.md` and a plot of apertures for each subject; returns the tables.

    Raises:
        OSError: a file cannot be written.
    """
    tables = []
    for title, columns, found, reference, unit in (
        ("Synthetic people, against the truth", SYNTHETIC, people, "true", "mm"),
        ("Clips, against detections", CLIP, clips, "detected", "of the face's height"),
    ):
        if found:
            tables.append(f"## {title}\n\n{table(columns, {one.name: one.values for one in found})}\n")
        for one in found:
            curves = [(reference, one.reference), ("tracked", one.tracked)]
            plot_apertures(out / f"apertures_{one.name}.png", one.time, curves, unit)
    text = "\n".join(tables)
    write_text(out / "tracking.md", text)
    groups = {"synthetic": people, "clips": clips}
    write_text(
        out / "tracking.json",
        json.dumps({name: {one.name: one.values for one in found} for name, found in groups.items()}, indent=1) + "\n",
    )
    return text
