"""Makes synthetic data: renders subjects into recordings of the layout that all data have."""

import functools
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from imavatar.data.workplace import alone, remove_all_leftovers, subject_lock
from imavatar.head.assets import find_head, load_head
from imavatar.progress import progress_bar
from imavatar.synthetic import sequences as motions
from imavatar.synthetic.ground_truth_files import FIT_FILE, write_fit, write_truth
from imavatar.synthetic.people import Person, SyntheticAssets, make_person, make_studio
from imavatar.synthetic.recording import SequenceSpec, is_finished, record
from imavatar.synthetic.renderer import VECTORISED, fastest_variant
from imavatar.synthetic.settings import SubjectSettings, has_manifest, write_manifest
from imavatar.synthetic.studio import FrameSpec
from imavatar.types import HeadParameters

logger = logging.getLogger(__name__)

FRAME_SECONDS, PATH_SECONDS, SCALAR_PATH_SECONDS = 0.9, 1.7e-6, 7e-6
"""CPU seconds of a frame, and of a light path, by the compiled and by the plain variant of Mitsuba."""
FRAME_BYTES, PIXEL_BYTES = 60e3, 6.0
SEEDS_OF_SEQUENCE = 1000
"""Noise seeds that are kept for a sequence, one a frame."""


def make_synthetic(out: Path, subjects: Sequence[SubjectSettings], *, workers: int = 0) -> list[Path]:
    """Render subjects, unless they are there; returns the folders that hold each one's sequences.

    Frames that an interrupted run has left are kept. How many frames are finished is shown, see `imavatar.progress`.

    Args:
        out: the data folder; files go to `<out>/<subject>/<subject>/<sequence>`.
        workers: processes that render; 0 renders in this one.

    Raises:
        BusyError: another process is working on one of the subjects.
        DataError: a folder holds another data set, or cannot be written.
        AssetError: the head model, its landmarks or MakeHuman's files are missing.
    """
    head = load_head(find_head("open"))
    notes = {settings.subject: settings.note(head) for settings in subjects}
    folders = {settings.subject: Path(out) / settings.subject / settings.subject for settings in subjects}
    missing = [s for s in subjects if not _is_there(folders[s.subject], s, notes[s.subject])]
    if len(missing) < len(subjects):
        logger.info("%s: %d of %d synthetic subjects are there", out, len(subjects) - len(missing), len(subjects))
    if missing:
        fastest_variant()
        assets = SyntheticAssets.load()
        with progress_bar("frames rendered", total=sum(sum(s.frames.values()) for s in missing)) as bar:
            for settings in missing:
                folder = folders[settings.subject]
                with alone(subject_lock(out, settings.subject), f"the rendering of {settings.subject}"):
                    write_manifest(folder, notes[settings.subject])
                    remove_all_leftovers(folder.parent)
                    _render_subject(folder, settings, assets, workers, bar)
    return list(folders.values())


def expected_cost(n_frames: int, size: int, samples: int, workers: int) -> tuple[float, float]:
    """About how many seconds and gigabytes frames take, as measured on two cores at 128 and 256 pixels."""
    cpu = FRAME_SECONDS + size**2 * samples * (PATH_SECONDS if fastest_variant() == VECTORISED else SCALAR_PATH_SECONDS)
    cores = min(max(workers, 1), os.cpu_count() or 1)
    return n_frames * cpu / cores, n_frames * (FRAME_BYTES + PIXEL_BYTES * size**2) / 1e9


def _is_there(folder: Path, settings: SubjectSettings, note: dict) -> bool:
    """Whether a subject is finished: what `_render_subject` writes last, and all sequences."""
    last = settings.person is None or (folder.parent / FIT_FILE).is_file()
    return has_manifest(folder, note) and last and all(is_finished(folder / name) for name in settings.frames)


def _render_subject(folder: Path, settings: SubjectSettings, assets: SyntheticAssets, workers: int, bar: tqdm) -> None:
    """All sequences of one subject that are not there; the bar counts the frames of all."""
    person = make_person(settings, assets)
    make = functools.partial(make_studio, settings, person, assets)
    studio = make()
    sequences_of = motions.open_head_sequences if person.is_open_head else motions.benchmark_sequences
    sequences = sequences_of(person.raw.unit_names, settings.frames, settings.seeds)
    for stream, (name, sequence) in enumerate(sequences.items(), start=1):
        if is_finished(folder / name):
            bar.update(len(sequence))
            continue
        spec = _specification(folder / name, sequence, person, SEEDS_OF_SEQUENCE * stream)
        for _ in record(spec, studio, person.closest.shape, make, workers):
            bar.update(1)
        if not person.is_open_head:
            write_truth(spec, studio, sequence)
    if not person.is_open_head:
        write_fit(folder.parent / FIT_FILE, person, assets.head, sequences)


def _specification(folder: Path, sequence: motions.Sequence, person: Person, first_seed: int) -> SequenceSpec:
    """Frames of the head that is rendered; the file has the expressions of the closest open head."""
    motion = sequence.motion
    rendered = person.rendered.expression(motion.amplitudes)
    expression, pose = (torch.tensor(values, dtype=torch.float32) for values in (rendered, motion.pose))
    frames = tuple(
        FrameSpec(k, HeadParameters(expression[k : k + 1], pose[k : k + 1]), first_seed + k, (float(yaw), float(pitch)))
        for k, (yaw, pitch) in enumerate(sequence.view)
    )
    if person.is_open_head:
        # The file has the very numbers that are rendered.
        return SequenceSpec(folder, frames, expression.numpy(), pose.numpy())
    return SequenceSpec(folder, frames, person.closest.expression(motion.amplitudes), motion.pose)
