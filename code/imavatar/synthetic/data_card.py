"""The contact sheet and the data card of a data set of several subjects."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from imavatar.data.images import read_colour, write_png
from imavatar.data.subject import read_json
from imavatar.errors import DataError
from imavatar.files.atomic import write_text
from imavatar.synthetic.ground_truth_files import FIT_FILE, FOLDER, FRAMES
from imavatar.synthetic.renderer import fastest_variant
from imavatar.synthetic.sequences import EXTRAPOLATION, JAW_LEVELS, SHARES, TRAIN, UNIT_LEVELS, UNSEEN_PAIRS, VIEWS
from imavatar.synthetic.settings import SubjectSettings, writing

SHEET, CARD, FACES = "contact_sheet.png", "DATA_CARD.md", "faces_found.json"
TEXT = """# Synthetic heads with ground truth

{n} subjects, {size} x {size} pixels, {samples} light paths a pixel, seed {seed}. A static camera. Frames a
subject: {frames}.

## How they were made

Faces and expressions are combinations of MakeHuman's targets and all of its face units, on the vertices of the
open head; its bases are fitted to such faces and hold them only nearly. Joints, skinning weights and pose
correctives are the open head's. Skin, eyes, hair, beards, glasses and clothes are made by this project,
path-traced by Mitsuba 3 ({variant}).

Sequences inside the training's distribution are {shares}, in this order. `{extrapolation}` has four bins:
amplitudes up to {units} and the jaw at {jaws} radians. Together in no other sequence: {pairs}. `{views}` sees
frames of both tests from a ring of cameras.

`flame_params.json` holds the open head's parameters nearest to the vertices (least squares),
`flame_params_tracked.json`, where it is, those that the preprocessing finds in the images. `ground_truth/` has
`normal/` (16 bits, world space), `depth/` (16 bits, 0.1 mm along the viewing direction), `exact/` (where the
surface is what the picture shows: not hair, beards and glasses), `vertices.npz`, `landmarks.npz` (metres,
pixels) and `frames.csv`.

## Subjects

How far the open head is off at the skin's vertices, joints at rest: mean / 95 % in mm.

| subject | age (0 child, 1 old) | hair | beard | glasses | off, training | off, extrapolation |
| --- | ---: | --- | --- | --- | ---: | ---: |
{subjects}

## Frames

| sequence | frames | parts | strength, mean | jaw (rad), mean | unseen pairs, mean |
| --- | ---: | --- | ---: | ---: | ---: |
{sequences}

{faces}

## Licences

MakeHuman's base mesh, targets and face units are CC0. Everything else was made by this project; nobody was
photographed.
"""

PER_SEQUENCE = {TRAIN: 3, EXTRAPOLATION: 2, VIEWS: 2}
"""Pictures on the sheet; one of every other sequence."""


def write_contact_sheet(out: Path, folders: list[Path], sequences: list[str]) -> Path:
    """A row a subject, evenly taken from its sequences; returns the file."""

    def pictures(folder: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        for name in sequences:
            wanted = PER_SEQUENCE.get(name, 1)
            for k in (np.arange(wanted) + 0.5) / wanted * len(_rows_of(folder / name)):
                yield read_colour(folder / name / "image" / f"{int(k) + 1}.png", "image")

    write_png(out / SHEET, np.vstack([np.hstack(list(pictures(folder))) for folder in folders]))
    return out / SHEET


def write_data_card(out: Path, folders: list[Path], settings: SubjectSettings) -> Path:
    """What the data are, how they were made, whose the parts are, and their statistics; returns the file."""
    people = [read_json(folder.parent / FIT_FILE) for folder in folders]
    text = TEXT.format(
        n=len(folders),
        size=settings.size,
        samples=settings.samples,
        seed=settings.seed,
        frames=", ".join(f"{name} {n}" for name, n in settings.frames.items()),
        variant=fastest_variant(),
        shares=", ".join(f"{share:.0%} {name}" for name, share in SHARES.items()),
        extrapolation=EXTRAPOLATION,
        units=", ".join(map(str, UNIT_LEVELS)),
        jaws=", ".join(map(str, JAW_LEVELS)),
        pairs=", ".join(" and ".join(pair) for pair in UNSEEN_PAIRS),
        views=VIEWS,
        subjects="\n".join(_subject_row(folder, person) for folder, person in zip(folders, people, strict=True)),
        sequences="\n".join(_sequence_row(name, folders) for name in settings.frames),
        faces=_faces(folders, list(settings.frames)),
    )
    with writing(out / CARD):
        write_text(out / CARD, text)
    return out / CARD


def count_faces(recording: Path, detect: Callable[[UInt8[np.ndarray, "h w 3"]], object | None]) -> tuple[int, int]:
    """In how many of a recording's pictures a detector finds a face, and their number; kept in `faces_found.json`."""
    path = recording / FOLDER / FACES
    if not path.is_file():
        pictures = sorted((recording / "image").glob("*.png"))
        found = sum(detect(read_colour(picture, "image")) is not None for picture in pictures)
        write_text(path, json.dumps({"found": found, "pictures": len(pictures)}))
    return _counted(path)


def _counted(path: Path) -> tuple[int, int]:
    content = read_json(path)
    try:
        return int(content["found"]), int(content["pictures"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: holds no numbers found and pictures ({error!r}); delete the file") from error


def _faces(folders: list[Path], sequences: list[str]) -> str:
    """What `count_faces` has found; nothing where it was not asked for everywhere."""
    paths = [folder / name / FOLDER / FACES for folder in folders for name in sequences]
    if not all(path.is_file() for path in paths):
        return "Whether a face detector finds the faces was not tried."
    found, pictures = (sum(counts) for counts in zip(*map(_counted, paths), strict=True))
    return (
        f"The preprocessing's landmark detector finds a face in {found} of {pictures} pictures "
        f"({found / max(pictures, 1):.1%})."
    )


def _rows_of(recording: Path) -> list[dict[str, str]]:
    path = recording / FOLDER / FRAMES
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); make the data set again") from error


def _subject_row(folder: Path, person: dict) -> str:
    look, errors = person["look"], person["error_mm"]
    worn = ("yes" if look[name] else "" for name in ("beard", "glasses"))
    off = (
        f"{errors[name]['mean']:.2f} / {errors[name]['percentile_95']:.2f}" if name in errors else ""
        for name in (TRAIN, EXTRAPOLATION)
    )
    years = f"{person['years']:.2f}"
    return f"| {' | '.join([folder.name, years, look['hair'], *worn, *off])} |"


def _sequence_row(name: str, folders: list[Path]) -> str:
    rows = [row for folder in folders for row in _rows_of(folder / name)]
    parts = ", ".join(f"{part} {n}" for part, n in Counter(row["part"] for row in rows).items())
    means = (float(np.mean([float(row[key]) for row in rows])) for key in ("strength", "jaw", "unseen_pairs"))
    return f"| {name} | {len(rows)} | {parts} | {' | '.join(f'{mean:.2f}' for mean in means)} |"
