"""Random faces and random expressions from MakeHuman's targets: what the open head's bases are fitted to."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from imavatar.head.makehuman import MakeHuman
from imavatar.head.open_head_mesh import HeadMesh

GENDERS = ("female", "male")
AGES = ("child", "young", "old")
"""The 'baby' targets are left out: they would spend the basis' first components on size."""
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
FATS = ("minweight", "averageweight", "maxweight")
ORIGINS = ("african", "asian", "caucasian")
FACE_FOLDERS = ["head", "chin", "cheek", "ears", "eyes", "eyebrows", "forehead", "mouth", "nose", "neck"]
LOCAL_SPREAD = 0.3
SIDE_SPREAD = 0.07
HEAD_FOLDER_SHARE = 0.5
"""Targets of the folder `head` (its scale and outline) at half strength: at full strength some
heads of one standard deviation look odd."""

LEFT_OUT_UNITS = ("jawOpen", "jawLeft", "jawRight", "mouthClose", "tongueOut", "eyeLook")
"""Beginnings of their names."""
MAKEHUMAN_UNIT = "mh_"
"""Before the names of MakeHuman's own expression units, which the face units' names are not."""
LEFT_OUT_EXPRESSIONS = ("mouth-open", "neck-platysma")
UNIT_CHANCE, EXPRESSION_CHANCE = 0.22, 0.06


@dataclass(frozen=True)
class FaceSpace:
    """Targets as dense offsets (decimetres): of the whole face by age, origin..., and local ones.

    `local` holds, per category, the sides' pairs of negative and positive offsets, and a strength.
    """

    macro: dict[tuple[str, ...], Float[np.ndarray, "s 3"]]
    local: list[tuple[float, list[tuple[np.ndarray, np.ndarray]]]]


def load_face_space(makehuman: MakeHuman, mesh: HeadMesh) -> FaceSpace:
    """Read all targets that shape a face."""
    folder = makehuman.targets
    macro = {}
    for names in itertools.product(GENDERS, AGES, MUSCLES, FATS):
        path = folder / "macrodetails" / f"universal-{'-'.join(names)}.target.gz"
        macro[("universal", *names)] = mesh.offsets(path)
    for names in itertools.product(ORIGINS, GENDERS, AGES):
        macro[names] = mesh.offsets(folder / "macrodetails" / f"{'-'.join(names)}.target.gz")
    index = json.loads((folder / "target.json").read_text())
    local = []
    for name in FACE_FOLDERS:
        strength = HEAD_FOLDER_SHARE if name == "head" else 1.0
        for category in index[name]["categories"]:
            opposites, sides = category.get("opposites", {}), []
            for side in ("left", "right", "unsided"):
                names = [opposites.get(f"{sign}-{side}") for sign in ("negative", "positive")]
                if all(names):
                    sides.append(tuple(mesh.offsets(folder / name / f"{target}.target.gz") for target in names))
            if sides:
                local.append((strength, sides))
    return FaceSpace(macro, local)


def random_face(
    mesh: HeadMesh, space: FaceSpace, random: np.random.Generator, years: float | None = None
) -> Float[np.ndarray, "s 3"]:
    """A random grown-up's face, decimetres.

    Args:
        years: 0 (a child) to 1 (old); drawn without it.
    """
    female = random.uniform()
    drawn = random.uniform(0.35, 1.0)
    share: dict[str, float] = {
        "universal": 1.0,
        **dict(zip(GENDERS, (female, 1 - female), strict=True)),
        **_hat_weights(drawn if years is None else years, AGES),
        **_hat_weights(random.uniform(), MUSCLES),
        **_hat_weights(random.beta(3, 3), FATS),
        **dict(zip(ORIGINS, random.dirichlet([0.6] * 3), strict=True)),
    }
    face = mesh.base.copy()
    for key, offset in space.macro.items():
        weight = math.prod(share[name] for name in key)
        if weight > 1e-6:
            face += weight * offset
    for strength, sides in space.local:
        common = random.normal(0, LOCAL_SPREAD)
        for negative, positive in sides:
            apart = random.normal(0, SIDE_SPREAD) if len(sides) > 1 else 0.0
            amount = float(np.clip(common + apart, -1, 1)) * strength
            face += amount * positive if amount > 0 else -amount * negative
    return face


def load_expression_units(makehuman: MakeHuman, mesh: HeadMesh) -> dict[str, np.ndarray]:
    """Offsets (decimetres) of all units an expression can have; jaw opening and gaze are joints' work."""
    units = {name: path for name, path in makehuman.face_units().items() if not name.startswith(LEFT_OUT_UNITS)}
    own = makehuman.expression_units().items()
    units |= {f"{MAKEHUMAN_UNIT}{name}": path for name, path in own if name not in LEFT_OUT_EXPRESSIONS}
    return {name: mesh.offsets(path) for name, path in units.items()}


def random_expression(names: list[str], random: np.random.Generator) -> Float[np.ndarray, " u"]:
    """Random amounts of the units: few at a time, mostly the same left and right."""
    amounts = dict.fromkeys(names, 0.0)
    pairs: dict[str, list[str]] = {}
    for name in names:
        pairs.setdefault(name.replace("Left", "").replace("Right", ""), []).append(name)
    for members in pairs.values():
        own = members[0].startswith(MAKEHUMAN_UNIT)
        if random.uniform() > (EXPRESSION_CHANCE if own else UNIT_CHANCE):
            continue
        amount = random.uniform(0, 0.8) if own else random.beta(1.6, 1.6)
        symmetric = random.uniform() < 0.75
        for name in members:
            amounts[name] = amount if symmetric else random.uniform() * (random.uniform() < 0.6)
    return np.array([amounts[name] for name in names])


def _hat_weights(x: float, names: Sequence[str]) -> dict[str, float]:
    """Linear interpolation weights of x between three things, which are at 0, 0.5 and 1."""
    return {name: np.interp(x, (0.0, 0.5, 1.0), row) for name, row in zip(names, np.eye(3), strict=True)}
