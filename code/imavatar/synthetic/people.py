"""Who is rendered: an open head itself, or a random person to whom the open head only comes close."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import N_SHAPE, Joint
from imavatar.assets import asset_path
from imavatar.errors import DataError
from imavatar.head.assets import HeadAssets, find_head, load_head
from imavatar.head.flame import Flame
from imavatar.head.landmarks import LandmarkEmbedding, embedding_path, load_embedding
from imavatar.head.makehuman import METRES_PER_DECIMETRE, MakeHuman
from imavatar.head.open_head_faces import load_expression_units, load_face_space
from imavatar.head.open_head_mesh import HeadMesh, cut_head
from imavatar.paths import command
from imavatar.synthetic.appearance import Appearance, random_appearance
from imavatar.synthetic.makehuman_person import (
    HeadCoefficients,
    RawPerson,
    closest_head,
    expression_of_units,
    make_raw_person,
)
from imavatar.synthetic.settings import SubjectSettings
from imavatar.synthetic.studio import Studio
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.synthetic_subject import SyntheticSubject

CAMERA_FROM_EYES = (0.0, -0.012, -0.054)
"""What the middle of the image shows, metres from the midpoint of the eyes."""
SHAPE_DEVIATION, MAX_SHAPE = 0.45, 1.2
"""Standard deviation and bound of an open head's shape coefficients; 1 would be the spread of the head model's own
population."""
N_STRANDS = 14000
YOUNGEST, OLDEST = 0.35, 0.95


@dataclass(frozen=True)
class SyntheticAssets:
    """What all subjects are made from: the open head with its landmarks, and the folder of MakeHuman's files."""

    head: HeadAssets
    embedding: LandmarkEmbedding
    makehuman_folder: Path

    @classmethod
    def load(cls) -> "SyntheticAssets":
        """Read the assets.

        Raises:
            AssetError: the head model, its landmarks or MakeHuman's files are missing.
        """
        path = find_head("open")
        head = load_head(path)
        return cls(head, load_embedding(embedding_path(path), head), asset_path("makehuman"))

    def makehuman(self) -> tuple[MakeHuman, HeadMesh]:
        """MakeHuman's files, and the open head on its base mesh.

        Raises:
            DataError: the open head was built from other files.
        """
        makehuman = MakeHuman(self.makehuman_folder)
        mesh = cut_head(makehuman)
        if mesh.n_vertices != len(self.head.v_template):
            raise DataError(
                f"the open head has {len(self.head.v_template)} vertices, but MakeHuman's files give "
                f"{mesh.n_vertices}; delete open_head.npz and run: {command('build_head')}"
            )
        return makehuman, mesh


@dataclass(frozen=True)
class Person:
    """One subject: `rendered` are the coefficients of `raw`, the head that is rendered, and `closest` those of the open
    head that comes closest to it; of an open head its own. `camera_centre` (metres) is in the middle of the image,
    `years` the age from 0 (child) to 1 (old); None: not known.
    """

    raw: RawPerson
    rendered: HeadCoefficients
    closest: HeadCoefficients
    appearance: Appearance
    camera_centre: tuple[float, float, float]
    years: float | None = None

    @property
    def is_open_head(self) -> bool:
        """Whether the open head is this person, and doesn't only come close."""
        return self.rendered is self.closest


def make_person(settings: SubjectSettings, assets: SyntheticAssets) -> Person:
    """The person of these settings, an open head of a random shape or a random grown-up; the same for the same ones."""
    makehuman, mesh = assets.makehuman()
    units = load_expression_units(makehuman, mesh)
    generator = np.random.default_rng([*settings.seeds, 0])
    if settings.person is None:
        shape = generator.normal(0, SHAPE_DEVIATION, N_SHAPE).clip(-MAX_SHAPE, MAX_SHAPE).astype(np.float32)
        offsets = np.stack([METRES_PER_DECIMETRE * offset[: mesh.n_vertices] for offset in units.values()])
        own = HeadCoefficients(shape, expression_of_units(offsets, assets.head))
        look = Appearance(n_strands=N_STRANDS if settings.hair == "strands" else 0)
        raw = RawPerson(assets.head, tuple(units))
        return Person(raw, own, own, look, _before_eyes(assets.head, assets.head.v_template))
    years = float(generator.uniform(YOUNGEST, OLDEST))
    raw = make_raw_person(assets.head, mesh, load_face_space(makehuman, mesh), units, generator, years)
    return Person(
        raw,
        raw.coefficients,
        closest_head(raw, assets.head),
        random_appearance(settings.person, years, generator),
        _before_eyes(assets.head, raw.head.v_template.astype(np.float64)),
        years,
    )


def make_studio(settings: SubjectSettings, person: Person, assets: SyntheticAssets) -> Studio:
    """A person before the camera; the same for the same settings."""
    makehuman, mesh = assets.makehuman()
    subject = SyntheticSubject(
        assets.head,
        Flame(person.raw.head, torch.tensor(person.rendered.shape), n_expression=person.rendered.n_expression),
        makehuman,
        mesh.source[: mesh.n_vertices],
        seed=settings.seed if settings.person is None else 100 * settings.seed + settings.person,
        appearance=person.appearance,
    )
    return Studio(subject, assets.embedding, StudioCamera(settings.size, person.camera_centre), settings.samples)


def _before_eyes(head: HeadAssets, rest: Float[np.ndarray, "v 3"]) -> tuple[float, float, float]:
    """Where a camera looks at a person whose head has these vertices at rest (metres)."""
    eyes = (head.joint_regressor @ rest)[[Joint.LEFT_EYE, Joint.RIGHT_EYE]].mean(0)
    return tuple((eyes + CAMERA_FROM_EYES).tolist())
