"""The report as a page that needs no other file and no network: the fit as a video and as curves, and advice."""

import base64
import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imavatar.data.workplace import write_errors
from imavatar.errors import DataError
from imavatar.files.atomic import write_text
from imavatar.preprocessing import charts
from imavatar.preprocessing.capture_advice import Advice
from imavatar.preprocessing.charts import Curve, TimeAxis, time_chart
from imavatar.preprocessing.left_out import LeftOut
from imavatar.preprocessing.report_style import SCRIPT, STYLE
from imavatar.preprocessing.track_curves import TrackCurves

LARGEST_VIDEO = 20_000_000
"""Bytes: a longer one is linked to, not put into the page."""
MOST_PICTURES = 60
N_WORST, APART = 12, 3
JOINED = 0.2
"""Seconds between frames that curves are drawn across."""
NUMBER = re.compile(r"\d+(\.\d+)?")
IMPROVE = '<span class="lacks">to improve</span>'
RIGHT_EYE, LEFT_EYE, LIPS = range(3)
"""Columns of apertures."""


@dataclass(frozen=True)
class ReportContent:
    """What a page shows.

    Attributes:
        title: its heading.
        facts: names and values of the table.
        names: of the videos' files, in the order of their numbers in `curves`.
        fps: frames a second of the recordings and of the overlay, which shows a frame for every row of the curves.
        checks: what was looked for in the recording.
    """

    title: str
    facts: Mapping[str, str]
    names: Sequence[str]
    fps: float
    curves: TrackCurves
    left_out: Sequence[LeftOut]
    checks: Sequence[Advice]


def write_report_page(path: Path, content: ReportContent, overlay: Path) -> None:
    """Write the page.

    Args:
        overlay: the video of the fit; in the page's folder or below.

    Raises:
        DataError: the overlay cannot be read, or the page not be written.
    """
    axis = time_axis(content)
    body = [
        f"<h1>{html.escape(content.title)}</h1>",
        _advice(content.checks),
        _film(overlay, path.parent),
        *_charts(content.curves, axis),
        "<h2>Worst frames</h2>",
        _worst(content),
        "<h2>Left out</h2>",
        *_left_out(content.left_out),
        "<h2>Numbers</h2>",
        _table(content.facts.items()),
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(content.title)}</title><style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    script = f"<script>const track = {json.dumps(_for_script(content, axis))};{SCRIPT}</script>"
    page = f'<!DOCTYPE html>\n<html lang="en"><head>{view}{head}</head><body>{"".join(body)}{script}</body></html>\n'
    with write_errors(path):
        write_text(path, page)


def time_axis(content: ReportContent) -> TimeAxis:
    """Seconds, the recordings one after the other."""
    curves = content.curves
    number = {name: k for k, name in enumerate(content.names)}
    gone = [(number[frame.video], frame.frame) for frame in content.left_out if frame.video in number]
    video, frame = (np.array([place[k] for place in gone], np.int64) for k in (0, 1))
    length = [1 + max([0, *curves.time[curves.video == k], *frame[video == k]]) for k in range(len(number))]
    first = np.cumsum([0, *length])
    step = np.diff(curves.time)
    same = (np.diff(curves.video) == 0) & (step > 0) & (step <= max(1.0, JOINED * content.fps))
    return TimeAxis(
        "seconds",
        (first[curves.video] + curves.time) / content.fps,
        np.concatenate([[False], same]),
        (first[video] + frame) / content.fps,
        [(float(start / content.fps), name) for start, name in zip(first, content.names, strict=False)],
    )


def _for_script(content: ReportContent, axis: TimeAxis) -> dict:
    return {
        "fps": content.fps,
        "x": [round(x, 3) for x in axis.x.tolist()],
        "limits": axis.limits,
        "left": charts.LEFT,
        "right": charts.WIDTH - charts.RIGHT,
        "width": charts.WIDTH,
    }


def _advice(checks: Sequence[Advice]) -> str:
    lacking = [check for check in checks if check.lacking]
    said = "".join(f"<li>{html.escape(str(check))}</li>" for check in lacking)
    listed = f'<ol class="advice">{said}</ol>' if lacking else "<p>Nothing that was looked for is missing.</p>"
    rows = "".join(
        f"<tr><td>{html.escape(check.topic)}</td><td>{html.escape(check.found)}</td>"
        f"<td>{IMPROVE if check.lacking else 'fine'}</td></tr>"
        for check in checks
    )
    everything = f"<details><summary>all that was looked for</summary><table>{rows}</table></details>"
    return f"<h2>What a next recording should have</h2>{listed}{everything}"


def _film(overlay: Path, folder: Path) -> str:
    try:
        large = overlay.stat().st_size > LARGEST_VIDEO
        content = b"" if large else overlay.read_bytes()
    except OSError as error:
        raise DataError(f"{overlay}: cannot be read ({error.strerror})") from error
    source = html.escape(overlay.relative_to(folder).as_posix()) if large else _data_url("video/mp4", content)
    caption = (
        "The recording, and over it the fitted head: detected landmarks red, fitted ones green. "
        "A click into a chart leads to its frame."
    )
    return (
        f'<h2>The fit</h2><div class="film"><video controls muted playsinline preload="auto" src="{source}"></video>'
        f'</div><p class="faint">{caption}</p>'
    )


def _charts(curves: TrackCurves, axis: TimeAxis) -> Iterator[str]:
    fitted, detected = 100 * curves.fitted, 100 * curves.detected
    for title, column in (("right lids", RIGHT_EYE), ("left lids", LEFT_EYE), ("lips", LIPS)):
        pair = [Curve("fitted", fitted[:, column]), Curve("detected", detected[:, column], 1, dashed=True)]
        yield time_chart(f"How far apart the {title} are, % of the face's height", pair, axis)
    yield time_chart(
        "Head rotation, degrees",
        [
            Curve("yaw (to the person's left)", curves.rotation[:, 0]),
            Curve("pitch (up)", curves.rotation[:, 1], 1),
            Curve("roll (to the right shoulder)", curves.rotation[:, 2], 2),
        ],
        axis,
    )
    for k, way in enumerate(("to the person's left", "up")):
        eyes = [Curve("right eye", curves.gaze[:, 0, k]), Curve("left eye", curves.gaze[:, 1, k], 1)]
        yield time_chart(f"Gaze in the head, {way}, degrees", eyes, axis)
    beside = [Curve("right in the picture", curves.position[:, 0]), Curve("up", curves.position[:, 1], 1)]
    yield time_chart("Head position, cm, as by the focal length", beside, axis)
    yield time_chart("Distance from the camera, cm, as by the focal length", [Curve("", curves.position[:, 2])], axis)
    yield time_chart("Landmark error, % of the face's height", [Curve("", 100 * curves.error)], axis)
    if len(axis.marks):
        yield '<p class="faint">Short strokes on the time axis are frames that were left out.</p>'


def worst_rows(curves: TrackCurves) -> list[int]:
    """The frames with the largest errors, none within APART rows of a worse one: its neighbours look the same."""
    chosen: list[int] = []
    for row in np.argsort(-curves.error, kind="stable").tolist():
        if len(chosen) < N_WORST and all(abs(row - other) > APART for other in chosen):
            chosen.append(row)
    return chosen


def _worst(content: ReportContent) -> str:
    curves, rows = content.curves, worst_rows(content.curves)
    names = [html.escape(name) for name in content.names]
    lines = "".join(
        f'<tr><td><button data-row="{row}">{names[int(curves.video[row])]}, frame {curves.time[row]}'
        f'</button></td><td class="number">{curves.time[row] / content.fps:.2f} s</td>'
        f'<td class="number">{100 * curves.error[row]:.2f} %</td>'
        f"<td>{'' if curves.valid[row] else 'not used'}</td></tr>"
        for row in rows
    )
    header = "<tr><th>frame</th><th>time</th><th>landmark error</th><th></th></tr>"
    return f"<table>{header}{lines}</table>"


def _left_out(left_out: Sequence[LeftOut]) -> Iterator[str]:
    if not left_out:
        yield "<p>No frame was left out.</p>"
        return
    kinds = Counter(NUMBER.sub("…", frame.reason) for frame in left_out)
    yield _table((reason, str(count)) for reason, count in kinds.most_common())
    figures = []
    for frame in left_out[:MOST_PICTURES]:
        text = html.escape(f"{frame.video}, frame {frame.frame}: {frame.reason}")
        shown = "" if frame.thumbnail is None else f'<img alt="" src="{_data_url("image/jpeg", frame.thumbnail)}">'
        figures.append(f"<figure>{shown}<figcaption>{text}</figcaption></figure>")
    yield f'<div class="pictures">{"".join(figures)}</div>'
    if len(left_out) > MOST_PICTURES:
        yield f'<p class="faint">… and {len(left_out) - MOST_PICTURES} more; report.json has all.</p>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = (f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(lines)}</table>"


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
