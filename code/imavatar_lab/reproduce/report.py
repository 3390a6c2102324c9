"""One HTML file that shows a whole comparison: tables, plots, grids, and every method's pictures frame by frame."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from imavatar.evaluation.html_page import facts_table, page, picture
from imavatar.evaluation.metrics import METRICS
from imavatar.files.atomic import write_text
from imavatar_lab.reproduce.gallery import TITLES, Pictures
from imavatar_lab.reproduce.plan import METHODS, TESTS
from imavatar_lab.reproduce.results import Row
from imavatar_lab.reproduce.tables import Table

TITLE = "IMavatar and its baselines on synthetic subjects"
MOST_FRAMES = 20
"""Of a sequence in the report, evenly taken."""
JPEG_QUALITY = 85

SCRIPT = """
const data = JSON.parse(document.getElementById('pictures').textContent);
const subject = document.getElementById('subject'), sequence = document.getElementById('sequence');
const slider = document.getElementById('frame'), label = document.getElementById('label');
const kind = document.getElementById('kind'), box = document.getElementById('frames');
function show() {
  const frames = data[subject.value][sequence.value] || [];
  slider.max = Math.max(frames.length - 1, 0);
  if (+slider.value > +slider.max) slider.value = slider.max;
  const frame = frames[+slider.value];
  box.replaceChildren();
  if (!frame) { label.textContent = 'none'; return; }
  label.textContent = `frame ${frame.name}, strength ${frame.strength}, jaw ${frame.jaw} rad`;
  for (const [name, source] of frame[kind.value]) {
    const figure = document.createElement('figure'), image = new Image(), text = document.createElement('figcaption');
    image.src = 'data:image/jpeg;base64,' + source; text.textContent = name; image.alt = name;
    figure.append(image, text); box.append(figure);
  }
}
for (const control of [subject, sequence, kind]) control.addEventListener('change', show);
slider.addEventListener('input', show);
show();
"""


@dataclass(frozen=True)
class Figure:
    """A picture's file, and what it shows."""

    path: Path
    caption: str


def write_report(
    path: Path,
    *,
    facts: Mapping[str, str],
    tables: Sequence[Table],
    figures: Sequence[Figure],
    rows: Sequence[Row],
    pictures: Mapping[str, Pictures],
    problems: Sequence[str],
) -> Path:
    """Write the report; it needs no other file and no network.

    Args:
        facts: command, commit, machine and so on, in the order in which they are shown.
        pictures: of each subject.
        problems: what failed.
    """
    command, commit = facts["command"], facts["commit"]
    made = f'<p class="made">made by <code>{html.escape(command)}</code> at {html.escape(commit)}</p>'
    parts = [facts_table(facts)]
    if problems:
        parts += ["<h2>What failed</h2><ul>", *(f"<li>{html.escape(text)}</li>" for text in problems), "</ul>"]
    parts.append("<h2>Tables</h2>")
    for table in tables:
        parts += [f"<h3>{html.escape(table.caption)}</h3>", _table(table), made]
    parts.append("<p>" + "; ".join(f"{m.label}: {html.escape(m.meaning)}" for m in METRICS.values()) + ".</p>")
    parts.append("<h2>Figures</h2>")
    for figure in figures:
        caption = f"{figure.caption}. Made by {command} at {commit}"
        parts.append(picture(figure.path.read_bytes(), caption))
    parts += ["<h2>Frame by frame</h2>", _browser(pictures), made]
    # Inside of a script no text may end it, or begin a comment.
    content = json.dumps({name: _frames(own, rows, name) for name, own in pictures.items()}).replace("<", "\\u003c")
    scripts = f'<script type="application/json" id="pictures">{content}</script><script>{SCRIPT}</script>'
    write_text(path, page(TITLE, parts, scripts))
    return path


def _table(table: Table) -> str:
    heads = [f"{METRICS[n].label}{' ' + METRICS[n].unit if METRICS[n].unit else ''}" for n in table.measures]
    arrows = ["↑" if METRICS[n].higher_is_better else "↓" for n in table.measures]
    header = "".join(f"<th>{html.escape(h)} {a}</th>" for h, a in zip(heads, arrows, strict=True))
    lines = [f"<table><tr><th>method</th>{header}</tr>"]
    best = [table.best(column) for column in range(len(table.measures))]
    for k, row in enumerate(table.cells):
        cells = []
        for column, mean in enumerate(row):
            digits = METRICS[table.measures[column]].digits
            text = "-" if mean is None else f"{mean.mean:.{digits}f}"
            error = "" if mean is None or mean.error is None else f" ± {mean.error:.{digits}f}"
            cells.append(f"<td>{f'<b>{text}</b>' if k in best[column] else text}{error}</td>")
        lines.append(f"<tr><td>{html.escape(table.methods[k])}</td>{''.join(cells)}</tr>")
    return "".join([*lines, "</table>"])


def _browser(pictures: Mapping[str, Pictures]) -> str:
    subjects = "".join(f"<option>{html.escape(name)}</option>" for name in pictures)
    sequences = "".join(f'<option value="{name}">{TITLES[name]}</option>' for name in TESTS)
    kinds = '<option value="rgb">pictures</option><option value="normal">normals</option>'
    return (
        f'<p><select id="subject">{subjects}</select> <select id="sequence">{sequences}</select> '
        f'<select id="kind">{kinds}</select> <input type="range" id="frame" min="0" value="0"> '
        '<span id="label"></span></p><div class="frames" id="frames"></div>'
    )


def _frames(pictures: Pictures, rows: Sequence[Row], subject: str) -> dict[str, list[dict]]:
    """By sequence: frames with their pictures as JPEG in base64."""
    found = {}
    for sequence in TESTS:
        own = {r.frame: r for r in rows if r.subject == subject and r.sequence == sequence}
        names = sorted(own, key=int)
        kept = (
            sorted(set(np.linspace(0, len(names) - 1, min(len(names), MOST_FRAMES)).round().astype(int)))
            if names
            else []
        )
        found[sequence] = [_frame(pictures, sequence, own[names[k]]) for k in kept]
    return found


def _frame(pictures: Pictures, sequence: str, row: Row) -> dict:
    truth = {"rgb": pictures.truth(sequence, row.frame), "normal": pictures.true_normals(sequence, row.frame)}
    entry = {"name": row.frame, "strength": round(row.strength, 2), "jaw": round(row.jaw, 2)}
    for kind, image in truth.items():
        shown = [("ground truth", image)]
        shown += [(c.label, pictures.rendered(c.name, kind, sequence, row.frame)) for c in METHODS]
        entry[kind] = [(label, _jpeg(found)) for label, found in shown if found is not None]
    return entry


def _jpeg(image: UInt8[np.ndarray, "h w 3"]) -> str:
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return base64.b64encode(encoded.tobytes()).decode()
