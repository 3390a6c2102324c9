"""What the data of a synthetic subject depend on, and the note of it that is kept beside them, so that other data are
not taken for these or written into them.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from imavatar.errors import DataError
from imavatar.files.atomic import write_text
from imavatar.head.assets import HeadAssets
from imavatar.names import NAME_RULE, is_name, shown
from imavatar.synthetic.sequences import N_FRAMES, STRENGTH, STRONG_MOTION, TEST, TRAIN

DATA_VERSION = 2
"""Counts changes of subjects, of their motion or of what is written, so that data of another version are not taken for
this one's."""
VERSION_BEFORE_PEOPLE = 1
"""Notes of random people count from the version that was the first to have them."""

MANIFEST = "synthetic.json"
"""The note's file."""
HAIR = ("surface", "strands")
SMALLEST_OPEN_HEAD, SMALLEST_PERSON = 8, 32
"""Pixels along an image's side."""


@dataclass(frozen=True)
class SubjectSettings:
    """What one subject's data depend on, besides the head model.

    Args:
        subject: its name, and that of its folder.
        frames: how many each sequence has.
        size: side of the images in pixels.
        samples: light paths a pixel.
        seed: of all that is random; the same for all people of a data set.
        hair: of an open head: a `surface`, or `strands` on it.
        person: which of the random people it is, from 0 on; None: an open head itself.

    Raises:
        DataError: a value is impossible.
    """

    subject: str = "synthetic"
    frames: dict[str, int] = field(default_factory=lambda: {TRAIN: 80, TEST: 20})
    size: int = 128
    samples: int = 36
    seed: int = 0
    hair: str = HAIR[0]
    person: int | None = None

    def __post_init__(self) -> None:
        if not is_name(self.subject):
            raise DataError(f"subject '{shown(self.subject)}': is not a name for a folder, expected {NAME_RULE}")
        smallest = SMALLEST_OPEN_HEAD if self.person is None else SMALLEST_PERSON
        for name, least in (("size", smallest), ("samples", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise DataError(f"{name} is {getattr(self, name)}, expected at least {least}")
        known = STRENGTH if self.person is None else N_FRAMES
        for name, count in self.frames.items():
            if name not in known:
                raise DataError(f"there is no sequence '{shown(name)}', expected {', '.join(known)}")
            if count < 1:
                raise DataError(f"the sequence {name} has {count} frames, expected at least 1")
        if self.hair not in HAIR:
            raise DataError(f"hair is {self.hair!r}, expected {' or '.join(HAIR)}")

    @property
    def seeds(self) -> tuple[int, ...]:
        """Start of the seeds of the subject's random numbers; a last one tells its streams apart."""
        return (self.seed,) if self.person is None else (self.seed, self.person)

    def note(self, head: HeadAssets) -> dict[str, Any]:
        """What is kept beside the data; in the words of the versions that have made data already."""
        shared = {"subject": self.subject, "size": self.size, "seed": self.seed, "samples": self.samples}
        if self.person is not None:
            order = ("subject", "index", "size", "frames", "seed", "samples", "head", "version")
            version = DATA_VERSION - VERSION_BEFORE_PEOPLE
            note = {**shared, "index": self.person, "frames": self.frames, "version": version}
        else:
            order = ("subject", "size", "n_train", "n_test", "seed", "samples", "head", "look", "hair", "n_harder")
            counts = {"n_train": TRAIN, "n_test": TEST, "n_harder": STRONG_MOTION}
            counted = {key: self.frames.get(name, 0) for key, name in counts.items()}
            note = {**shared, **counted, "look": DATA_VERSION, "hair": self.hair}
        note["head"] = fingerprint(head)
        return {key: note[key] for key in order}


def random_people(
    n_subjects: int, *, frames: dict[str, int] | None = None, size: int = 256, samples: int = 32, seed: int = 0
) -> list[SubjectSettings]:
    """Subjects `subject_00`, `subject_01`, ... of a data set for comparisons of methods.

    Args:
        frames: of each sequence; N_FRAMES without it.

    Raises:
        DataError: a value is impossible.
    """
    if n_subjects < 1:
        raise DataError(f"{n_subjects} subjects asked for, expected at least 1")
    frames = dict(N_FRAMES if frames is None else frames)
    return [
        SubjectSettings(f"subject_{k:02d}", frames, size=size, samples=samples, seed=seed, person=k)
        for k in range(n_subjects)
    ]


def fingerprint(head: HeadAssets) -> str:
    """Sixteen digits that tell a head model from others."""
    digest = hashlib.sha256()
    for values in (head.v_template, head.faces, head.shapedirs, head.posedirs, head.weights):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def has_manifest(folder: Path, note: dict[str, Any]) -> bool:
    """Whether a note lies beside the data.

    Raises:
        DataError: the folder holds something else, or the note cannot be read.
    """
    path = folder.parent / MANIFEST
    advice = f"delete the folder {folder.parent}, or choose another name with --subject"
    try:
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found != note:
                raise DataError(f"{path}: {_difference(found, note)}; {advice}")
            return True
        if folder.exists():
            raise DataError(f"{folder}: exists, but was not made by this command; {advice}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not valid JSON ({error}); {advice}") from error
    return False


def write_manifest(folder: Path, note: dict[str, Any]) -> None:
    """Put a note beside the data; only for who holds the subject's lock.

    Raises:
        DataError: see `has_manifest`, or the note cannot be written.
    """
    if has_manifest(folder, note):
        return
    path = folder.parent / MANIFEST
    with writing(path):
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(note, indent=2) + "\n")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name a file or folder where it cannot be written.

    Raises:
        DataError: in the place of an OSError inside.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error


def _difference(found: Any, wanted: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return "does not hold settings"
    keys = [key for key in wanted if found.get(key) != wanted[key]]
    if keys in (["head"], ["look"], ["version"]):
        return "was made with another head model or another version of the synthetic subject"
    return "; ".join(f"{key} is {found.get(key)}, asked for is {wanted[key]}" for key in keys)
