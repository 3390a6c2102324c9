"""Makes the synthetic subject: renders its train and test sequences into the layout of
docs/data_format.md."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import Joint
from imavatar.assets import asset_path
from imavatar.data.subject_writer import JSON_NAME
from imavatar.data.workplace import alone, remove_all_leftovers, subject_lock
from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets, find_head, load_head
from imavatar.head.flame import N_SHAPE_COLUMNS, Flame
from imavatar.head.landmarks import (
    LandmarkEmbedding,
    embedding_path,
    load_embedding,
)
from imavatar.head.makehuman import MakeHuman
from imavatar.head.open_head_faces import load_expression_units
from imavatar.head.open_head_mesh import HeadMesh, cut_head
from imavatar.names import NAME_RULE, is_name, shown
from imavatar.synthetic.claim import claim, fingerprint, is_claimed
from imavatar.synthetic.layout import METRES_PER_UNIT
from imavatar.synthetic.look import Look
from imavatar.synthetic.motion import expression_of, random_motion
from imavatar.synthetic.recording import Take, record
from imavatar.synthetic.renderer import StudioCamera, fastest_variant
from imavatar.synthetic.studio import Shot, Studio
from imavatar.synthetic.subject import N_EXPRESSION, Subject, random_shape
from imavatar.types import HeadParameters

logger = logging.getLogger(__name__)

LOOK_VERSION = 2
"""Counts changes of the subject's look or motion or of what is written, so that data of another version are not taken
for this one's."""

CAMERA_FROM_EYES = (0.0, -0.012, -0.054)
"""What the middle of the image shows, metres from the midpoint of the template's eyes."""

TRAIN, TEST, HARDER = "train", "test", "harder"
STRENGTH = {TRAIN: 1.0, TEST: 1.0, HARDER: 1.6}
"""Of a sequence's motion: 1 is the training's."""
N_STRANDS = 14000
HAIR = ("surface", "strands")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SyntheticSettings:
    """What a synthetic data set depends on; kept beside it. `head` identifies the head model."""

    subject: str
    size: int
    n_train: int
    n_test: int
    seed: int
    samples: int
    head: str
    look: int = LOOK_VERSION
    hair: str = HAIR[0]
    n_harder: int = 0

    def __post_init__(self):
        if not is_name(self.subject):
            raise DataError(f"subject '{shown(self.subject)}': is not a name for a folder, expected {NAME_RULE}")
        for name, least in (("size", 8), ("n_train", 1), ("n_test", 1), ("samples", 1), ("seed", 0), ("n_harder", 0)):
            if getattr(self, name) < least:
                raise DataError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.hair not in HAIR:
            raise DataError(f"hair is {self.hair!r}, expected {' or '.join(HAIR)}")


def make_synthetic(
    out: Path,
    *,
    assets_dir: Path,
    subject: str = "synthetic",
    size: int = 128,
    n_train: int = 80,
    n_test: int = 20,
    n_harder: int = 0,
    seed: int = 0,
    samples: int = 16,
    hair: str = HAIR[0],
    workers: int = 0,
    embedding: LandmarkEmbedding | None = None,
    progress: Progress | None = None,
) -> Path:
    """Render the subject's sequences, unless they are there; returns the folder that holds its sequences.

    Frames that an interrupted run has left are kept.

    Args:
        out: the data folder; files go to `<out>/<subject>/<subject>/{train,test,harder}`.
        assets_dir: holds `open_head.npz`, its landmarks, and `makehuman`.
        samples: paths per pixel.
        hair: a `surface`, or `strands` on it.
        n_harder: frames of a sequence with stronger motion than the training's.
        workers: processes that render; 0 renders in this one.
        embedding: where the landmarks lie on the head; by default the file beside the head's.
        progress: called with the number of finished frames and of all frames.

    Raises:
        BusyError: another process is working on the subject.
        DataError: the folder holds another data set, or cannot be written.
        AssetError: the head model, its landmarks or MakeHuman's files are missing.
    """
    head_path = find_head("open")
    head = load_head(head_path)
    settings = SyntheticSettings(
        subject, size, n_train, n_test, seed, samples, fingerprint(head), hair=hair, n_harder=n_harder
    )
    folder = Path(out) / subject / subject
    lengths = {name: n for name, n in ((TRAIN, n_train), (TEST, n_test), (HARDER, n_harder)) if n > 0}
    if is_claimed(folder, settings) and all((folder / name / JSON_NAME).is_file() for name in lengths):
        logger.info("%s: the synthetic subject is there", folder)
        return folder
    fastest_variant()
    if embedding is None:
        embedding = load_embedding(embedding_path(head_path), head)
    make = functools.partial(make_studio, settings, head_path, assets_dir, embedding)
    with alone(subject_lock(out, subject), f"the rendering of {subject}"):
        claim(folder, settings)
        remove_all_leftovers(folder.parent)
        _render(
            folder, settings, lengths, make, MakeHuman(asset_path("makehuman", Path(assets_dir))), workers, progress
        )
    return folder


def _render(
    folder: Path,
    settings: SyntheticSettings,
    lengths: dict[str, int],
    make: Callable[[], Studio],
    makehuman: MakeHuman,
    workers: int,
    progress: Progress | None,
) -> None:
    """All sequences, of these lengths, that are not there."""
    studio = make()
    units, frames_before = _face_units(makehuman, _mesh_of(makehuman, studio.subject.head)), 0
    for stream, (name, n_frames) in enumerate(lengths.items(), start=1):
        take = _take(folder / name, _motion(settings, studio, units, name, n_frames, stream), stream)
        if not take.finished:
            for k in record(take, studio, random_shape(settings.seed), make, workers):
                if progress is not None:
                    progress(frames_before + k, sum(lengths.values()))
        frames_before += n_frames


def make_studio(settings: SyntheticSettings, head_path: Path, assets_dir: Path, embedding: LandmarkEmbedding) -> Studio:
    """The subject before its camera; the same for the same settings."""
    head, makehuman = load_head(head_path), MakeHuman(asset_path("makehuman", Path(assets_dir)))
    mesh = _mesh_of(makehuman, head)
    subject = Subject(
        head,
        Flame(head, torch.tensor(random_shape(settings.seed)), n_expression=N_EXPRESSION),
        makehuman,
        mesh.source[: mesh.n_vertices],
        seed=settings.seed,
        look=Look(n_strands=N_STRANDS if settings.hair == "strands" else 0),
    )
    return Studio(subject, embedding, camera_before(head, head.v_template, settings.size), settings.samples)


def camera_before(head: HeadAssets, rest: Float[np.ndarray, "v 3"], size: int) -> StudioCamera:
    """The camera of a person whose head at rest has these vertices (metres)."""
    eyes = (head.joint_regressor @ rest)[[Joint.LEFT_EYE, Joint.RIGHT_EYE]].mean(0)
    return StudioCamera(size, centre=tuple((eyes + CAMERA_FROM_EYES).tolist()))


def _motion(settings: SyntheticSettings, studio: Studio, units, name: str, n_frames: int, stream: int):
    """The parameters of a sequence; streams are independent."""
    generator = np.random.default_rng([settings.seed, stream])
    motion = random_motion(tuple(units), n_frames, generator, STRENGTH[name])
    columns = slice(N_SHAPE_COLUMNS, N_SHAPE_COLUMNS + N_EXPRESSION)
    basis = studio.subject.head.shapedirs[..., columns]
    expression = expression_of(motion.amplitudes, np.stack(list(units.values())), basis)
    return HeadParameters(torch.tensor(expression, dtype=torch.float32), torch.tensor(motion.pose, dtype=torch.float32))


def _take(folder: Path, sequence: HeadParameters, stream: int) -> Take:
    shots = tuple(Shot(k, sequence[k : k + 1], 1000 * stream + k) for k in range(len(sequence)))
    return Take(folder, shots, sequence.expression.numpy(), sequence.pose.numpy())


def _mesh_of(makehuman: MakeHuman, head: HeadAssets) -> HeadMesh:
    """The open head on MakeHuman's base mesh."""
    mesh = cut_head(makehuman)
    if mesh.n_vertices != len(head.v_template):
        raise DataError(
            f"the open head has {len(head.v_template)} vertices, but MakeHuman's files give {mesh.n_vertices}; "
            "delete open_head.npz and run: python scripts/build_head.py"
        )
    return mesh


def _face_units(makehuman: MakeHuman, mesh: HeadMesh) -> dict[str, Float[np.ndarray, "v 3"]]:
    """Offsets of the face units at the head's vertices, metres."""
    units = load_expression_units(makehuman, mesh)
    return {name: METRES_PER_UNIT * offset[: mesh.n_vertices] for name, offset in units.items()}
