"""One page about a run: how it was trained, what its renderings came to look like, and what they measure."""

import csv
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from imavatar.errors import DataError
from imavatar.evaluation.html_page import data_url, facts_table, line_plot, page, picture
from imavatar.evaluation.results import COLUMNS
from imavatar.files.atomic import write_text

STEP, TOTAL = "step", "loss"
PER_FRAME = ("psnr", "psnr_face", "lpips", "mask_iou", "normal_error_face", "keypoint_error")
"""Metrics that are plotted frame by frame."""
LARGEST_VIDEO = 60_000_000
"""Bytes: a longer video is linked to, not put into the page."""


def write_run_report(
    path: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    configuration: str,
    scalars: Path,
    previews: Path,
    evaluations: Mapping[str, Path],
) -> Path:
    """Write the page; returns its path.

    Args:
        scalars: the training's `train.csv`; may be missing, as of methods that do not train.
        previews: the folder of renderings `epoch_<n>.png`; may be missing.
        evaluations: the folder of the results of each test sequence.

    Raises:
        DataError: results are missing or damaged, or the page cannot be written.
    """
    body = [facts_table(facts)]
    for name, folder in evaluations.items():
        body += [f"<h2>Test sequence {html.escape(name)}</h2>", *_evaluation(folder, path.parent)]
    body += ["<h2>Training</h2>", *_training(scalars)]
    body += ["<h2>Renderings over time</h2>", _previews(previews)]
    body += ["<h2>Configuration</h2>", f"<details><summary>all keys</summary><pre>{html.escape(configuration)}</pre>"]
    write_text(path, page(title, [*body, "</details>"]))
    return path


def _evaluation(folder: Path, page_folder: Path) -> list[str]:
    try:
        table = (folder / "metrics.txt").read_text(encoding="utf-8")
        video = (folder / "comparison.mp4").read_bytes()
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); evaluate the run again") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{folder / 'metrics.txt'}: is not text ({error}); evaluate the run again") from error
    rows = _read_csv(folder / "per_frame.csv")
    plots = [
        line_plot(f"{COLUMNS[name].info.label} by frame", range(1, len(rows) + 1), values)
        for name in PER_FRAME
        for values in [[_number(row.get(name)) for row in rows]]
        if any(value is not None for value in values)
    ]
    return [_video(folder / "comparison.mp4", video, page_folder), f"<pre>{html.escape(table)}</pre>", _plots(plots)]


def _video(path: Path, content: bytes, page_folder: Path) -> str:
    name = path.relative_to(page_folder).as_posix()
    source = data_url(content, "video/mp4") if len(content) <= LARGEST_VIDEO else name
    caption = html.escape(f"{name}: the recording, the avatar, its normals")
    return f'<figure><video controls loop muted src="{source}"></video><figcaption>{caption}</figcaption></figure>'


def _training(scalars: Path) -> list[str]:
    if not scalars.is_file():
        return ["<p>There is no log: this method is not trained step by step.</p>"]
    rows = _read_csv(scalars)
    names = [name for name in (rows[0] if rows else {}) if name != STEP]
    epochs = [(_number(row.get(STEP)) or 0) + 1 for row in rows]
    plots = {name: line_plot(name, epochs, [_number(row.get(name)) for row in rows]) for name in names}
    end = names.index(TOTAL) + 1 if TOTAL in names else len(names)
    return [
        "<p>Means over the epochs.</p>",
        _plots([plots[name] for name in (names[end - 1 : end] + names[: end - 1])]),
        f"<details><summary>search, rates and more</summary>{_plots([plots[name] for name in names[end:]])}</details>",
    ]


def _previews(folder: Path) -> str:
    found = {int(match[1]): p for p in folder.glob("*.png") if (match := re.fullmatch(r"epoch_(\d+)", p.stem))}
    if not found:
        return "<p>There are none: train.preview_every is 0, or larger than the run.</p>"
    figures = (picture(found[epoch].read_bytes(), f"epoch {epoch}") for epoch in sorted(found))
    return f'<div class="frames strips">{"".join(figures)}</div>'


def _plots(plots: Sequence[str]) -> str:
    return f'<div class="plots">{"".join(f"<figure>{plot}</figure>" for plot in plots)}</div>'


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from error
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise DataError(f"{path}: line {number} has more values than the first line has names")
    return rows


def _number(text: str | None) -> float | None:
    """A table's number; None where there is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return None
