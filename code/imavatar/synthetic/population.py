"""Makes a data set of several subjects for comparisons of methods: people that the head model only approximates."""

import functools
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from imavatar.assets import asset_path
from imavatar.data.workplace import alone, remove_all_leftovers, subject_lock
from imavatar.errors import DataError
from imavatar.files.atomic import write_text
from imavatar.head.assets import HeadAssets, find_head, load_head
from imavatar.head.flame import Flame
from imavatar.head.landmarks import LandmarkEmbedding, embedding_path, load_embedding
from imavatar.head.makehuman import MakeHuman
from imavatar.head.open_head_faces import load_expression_units, load_face_space
from imavatar.head.open_head_mesh import cut_head
from imavatar.synthetic.claim import claim, fingerprint, is_claimed
from imavatar.synthetic.dataset import camera_before
from imavatar.synthetic.look import Look, random_look
from imavatar.synthetic.raw_space import ClosestHead, RawPerson, closest_head, make_raw_person, vertex_error
from imavatar.synthetic.recording import Take, record
from imavatar.synthetic.renderer import VECTORISED, fastest_variant
from imavatar.synthetic.sequences import (
    EXTRAPOLATION,
    INTERPOLATION,
    N_FRAMES,
    TRAIN,
    VALIDATION,
    VIEWS,
    Sequence,
    inside,
    outside,
    ring_of_views,
)
from imavatar.synthetic.studio import Shot, Studio
from imavatar.synthetic.subject import Subject
from imavatar.synthetic.truth_files import write_truth
from imavatar.types import HeadParameters

logger = logging.getLogger(__name__)

VERSION = 1
"""Counts changes of subjects, motion or files."""
YOUNGEST, OLDEST = 0.35, 0.95
FRAME_SECONDS, PATH_SECONDS, SCALAR_PATH_SECONDS = 0.9, 1.7e-6, 7e-6
"""CPU seconds of a frame, and of a light path, by the compiled and by the plain variant of Mitsuba."""
FRAME_BYTES, PIXEL_BYTES = 60e3, 6.0
FIT_FILE = "closest_head.json"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PopulationSettings:
    """What one subject's data depend on; kept beside them. `head` identifies the head model."""

    subject: str
    index: int
    size: int
    frames: dict[str, int]
    seed: int
    samples: int
    head: str
    version: int = VERSION

    def __post_init__(self):
        for name, least in (("size", 32), ("samples", 1), ("seed", 0), ("index", 0)):
            if getattr(self, name) < least:
                raise DataError(f"{name} is {getattr(self, name)}, expected at least {least}")
        for name, count in self.frames.items():
            if count < 1:
                raise DataError(f"the sequence {name} has {count} frames, expected at least 1")


@dataclass(frozen=True)
class Population:
    """Folders that hold each subject's sequences, and the last subject's settings: only its name is its own."""

    folders: list[Path]
    settings: PopulationSettings


@dataclass(frozen=True)
class Person:
    """One subject of the data set: its face, the head model nearest to it, and its look."""

    raw: RawPerson
    closest: ClosestHead
    look: Look
    years: float


@dataclass(frozen=True)
class Workshop:
    """What all subjects are made from."""

    head_path: Path
    assets_dir: Path
    embedding: LandmarkEmbedding
    head: HeadAssets

    @classmethod
    def open(cls, assets_dir: Path) -> "Workshop":
        """Read the assets.

        Raises:
            AssetError: the head model, its landmarks or MakeHuman's files are missing.
        """
        path = find_head("open")
        head = load_head(path)
        return cls(path, assets_dir, load_embedding(embedding_path(path), head), head)

    def person(self, seed: int, index: int) -> Person:
        """Subject `index`; the same for the same seed."""
        generator = np.random.default_rng([seed, index, 0])
        makehuman = MakeHuman(asset_path("makehuman", self.assets_dir))
        mesh = cut_head(makehuman)
        years = float(generator.uniform(YOUNGEST, OLDEST))
        units = load_expression_units(makehuman, mesh)
        raw = make_raw_person(self.head, mesh, load_face_space(makehuman, mesh), units, generator, years)
        return Person(raw, closest_head(raw, self.head), random_look(index, years, generator), years)


def make_population(
    out: Path,
    n_subjects: int,
    *,
    assets_dir: Path,
    size: int = 256,
    seed: int = 0,
    samples: int = 32,
    frames: dict[str, int] | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> Population:
    """Render subjects `subject_00`, `subject_01`, ... unless they are there.

    Frames that an interrupted run has left are kept.

    Args:
        out: the data folder; files go to `<out>/<subject>/<subject>/<sequence>`.
        frames: of each sequence; N_FRAMES without it.
        workers: processes that render; 0 renders in this one.
        progress: called with the number of finished frames and of all frames.

    Raises:
        BusyError: another process is working on one of the subjects.
        DataError: a folder holds another data set, or cannot be written.
        AssetError: the head model, its landmarks or MakeHuman's files are missing.
    """
    if n_subjects < 1:
        raise DataError(f"{n_subjects} subjects asked for, expected at least 1")
    workshop = Workshop.open(Path(assets_dir))
    frames = dict(N_FRAMES if frames is None else frames)
    fastest_variant()
    folders, per_subject = [], sum(frames.values())
    for index in range(n_subjects):
        name = f"subject_{index:02d}"
        settings = PopulationSettings(name, index, size, frames, seed, samples, fingerprint(workshop.head))
        folder = Path(out) / name / name
        before = index * per_subject

        def report(done: int, before=before) -> None:
            if progress is not None:
                progress(before + done, n_subjects * per_subject)

        _make_subject(folder, settings, workshop, workers, report)
        folders.append(folder)
    return Population(folders, settings)


def expected_cost(n_frames: int, size: int, samples: int, workers: int) -> tuple[float, float]:
    """About how many seconds and gigabytes frames take, as measured on two cores at 128 and 256 pixels."""
    cpu = FRAME_SECONDS + size**2 * samples * (PATH_SECONDS if fastest_variant() == VECTORISED else SCALAR_PATH_SECONDS)
    cores = min(max(workers, 1), os.cpu_count() or 1)
    return n_frames * cpu / cores, n_frames * (FRAME_BYTES + PIXEL_BYTES * size**2) / 1e9


def _make_subject(
    folder: Path, settings: PopulationSettings, workshop: Workshop, workers: int, report: Callable[[int], None]
) -> None:
    """All sequences of one subject that are not there."""
    folders = [folder / name for name in settings.frames]
    is_there = (folder.parent / FIT_FILE).is_file() and all(Take(path, (), None, None).finished for path in folders)
    if is_claimed(folder, settings) and is_there:
        report(sum(settings.frames.values()))
        return
    with alone(subject_lock(folder.parent.parent, settings.subject), f"the rendering of {settings.subject}"):
        claim(folder, settings)
        remove_all_leftovers(folder.parent)
        _render(folder, settings, workshop, workers, report)


def _render(
    folder: Path, settings: PopulationSettings, workshop: Workshop, workers: int, report: Callable[[int], None]
) -> None:
    person = workshop.person(settings.seed, settings.index)
    make = functools.partial(make_studio, person, workshop, settings)
    studio, sequences = make(), sequences_of(person.raw, settings)
    done = 0
    for stream, (name, (sequence, views)) in enumerate(sequences.items(), start=1):
        take = _take(folder / name, sequence, views, person.closest, 1000 * stream)
        if not take.finished:
            for k in record(take, studio, person.closest.shape, make, workers):
                report(done + k)
            write_truth(take, studio, sequence)
        done += len(sequence)
        report(done)
    _write_fit(folder.parent / FIT_FILE, person, workshop.head, {name: s for name, (s, _) in sequences.items()})


def make_studio(person: Person, workshop: Workshop, settings: PopulationSettings) -> Studio:
    """The subject before its camera."""
    makehuman = MakeHuman(asset_path("makehuman", workshop.assets_dir))
    mesh = cut_head(makehuman)
    flame = Flame(person.raw.head, torch.zeros(0), n_expression=len(person.raw.unit_names))
    subject = Subject(
        workshop.head,
        flame,
        makehuman,
        mesh.source[: mesh.n_vertices],
        seed=100 * settings.seed + settings.index,
        look=person.look,
    )
    return Studio(
        subject, workshop.embedding, camera_before(workshop.head, subject.rest, settings.size), settings.samples
    )


def sequences_of(
    person: RawPerson, settings: PopulationSettings
) -> dict[str, tuple[Sequence, Float[np.ndarray, "n 2"]]]:
    """Frames and views (yaw and pitch) of every sequence that is asked for.

    Views of a ring see frames of both tests, so these are made though not all may be asked for.
    """
    made = {}
    for stream, name in enumerate((TRAIN, VALIDATION, INTERPOLATION, EXTRAPOLATION), start=1):
        generator = np.random.default_rng([settings.seed, settings.index, stream])
        make = outside if name == EXTRAPOLATION else inside
        n = settings.frames.get(name, N_FRAMES[name])
        made[name] = make(person.unit_names, n, generator)
    found = {name: (made[name], np.zeros((len(made[name]), 2))) for name in settings.frames if name in made}
    if VIEWS in settings.frames:
        n = settings.frames[VIEWS]
        tests = [made[INTERPOLATION], made[EXTRAPOLATION]]
        halves = [
            np.linspace(0, len(test) - 1, n - n // 2 if k == 0 else n // 2).astype(int) for k, test in enumerate(tests)
        ]
        found[VIEWS] = (_joined([test.rows(rows) for test, rows in zip(tests, halves, strict=True)]), ring_of_views(n))
    return found


def _joined(parts: list[Sequence]) -> Sequence:
    first = parts[0].motion
    motion = type(first)(
        first.unit_names,
        np.concatenate([part.motion.amplitudes for part in parts]),
        np.concatenate([part.motion.pose for part in parts]),
    )
    return Sequence(motion, sum((part.part for part in parts), ()), np.concatenate([part.level for part in parts]))


def _take(
    folder: Path, sequence: Sequence, views: Float[np.ndarray, "n 2"], closest: ClosestHead, first_seed: int
) -> Take:
    """Shots of the raw person; the file has the expressions of the closest head."""
    motion = sequence.motion
    amplitudes, pose = (torch.tensor(values, dtype=torch.float32) for values in (motion.amplitudes, motion.pose))
    shots = tuple(
        Shot(k, HeadParameters(amplitudes[k : k + 1], pose[k : k + 1]), first_seed + k, tuple(views[k].tolist()))
        for k in range(len(sequence))
    )
    return Take(folder, shots, motion.amplitudes @ closest.expression_of_unit, motion.pose)


def _write_fit(path: Path, person: Person, head: HeadAssets, sequences: dict[str, Sequence]) -> None:
    """How close the head model comes to the person, over the skin's vertices, joints at rest; and who it is."""
    skin = np.unique(head.part_faces("skin"))
    errors = {
        name: vertex_error(person.raw, head, person.closest, sequence.motion.amplitudes)[:, skin]
        for name, sequence in sequences.items()
    }
    look = asdict(person.look)
    content = {
        "years": person.years,
        "look": {**look, "hair": person.look.hair.value},
        "shape": person.closest.shape.tolist(),
        "error_mm": {
            name: {"mean": float(e.mean()), "percentile_95": float(np.percentile(e, 95)), "largest": float(e.max())}
            for name, e in errors.items()
        },
    }
    try:
        write_text(path, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
