"""Head models in FLAME's file layout: FLAME's own pickles and the open head, read into one record."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from imavatar.anatomy import JOINT_PARENTS, N_JOINTS, POSE_FEATURE_SIZE
from imavatar.errors import AssetError
from imavatar.files.atomic import replacing
from imavatar.head.head_table import HeadTable
from imavatar.head.npz_arrays import read_npz_arrays
from imavatar.head.restricted_pickle import load_flame_pickle
from imavatar.numerics.mesh import face_normals
from imavatar.paths import assets_dir, command, flame_dir

N_BLENDSHAPES = 400
MOST_COEFFICIENTS = 100
"""Expression columns of `shapedirs`; a named expression may give the first of them alone."""
NO_PARENT = (-1, 2**32 - 1)
"""How files write the root's parent, with and without a sign."""
WEIGHT_TOLERANCE = 0.01
"""Of a vertex's skinning weights: how far below 0, and their sum from 1. Files round them at 1e-3 at worst."""
SMALLEST_FACE = 1e-12
"""A face with an area of less than this times the head's squared extent counts as degenerate."""
OPEN_HEAD_FILE = "open_head.npz"
MOUTH_PARTS = ("teeth_up", "teeth_lo", "tongue")
NAMED_HEADS = {"flame2020": Path("FLAME2020") / "generic_model.pkl", "flame2023": Path("FLAME2023") / "flame2023.pkl"}
"""Where licensed models are looked for below the project's `flame` folder."""


@dataclass(frozen=True)
class HeadAssets:
    """A head model as its file gives it: metres, y up, looking along z.

    `shapedirs` holds 300 shape and 100 expression columns. `face_part` numbers the part of each
    face in `part_names`, where a model has parts. `regions` are named vertex masks and
    `named_expressions` named coefficient vectors, where a model has them; `face_units` are those of ARKit's single
    units that expressions can show (`mouthSmileLeft`, ...), at full strength.
    """

    v_template: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    shapedirs: Float[np.ndarray, "v 3 400"]
    posedirs: Float[np.ndarray, "v 3 36"]
    joint_regressor: Float[np.ndarray, "5 v"]
    weights: Float[np.ndarray, "v 5"]
    name: str
    face_part: Int[np.ndarray, " f"] | None = None
    part_names: tuple[str, ...] = ()
    regions: dict[str, np.ndarray] = field(default_factory=dict)
    named_expressions: dict[str, np.ndarray] = field(default_factory=dict)
    face_units: dict[str, np.ndarray] = field(default_factory=dict)

    def part_faces(self, part: str) -> Int[np.ndarray, "k 3"]:
        """Faces of a named part."""
        if part not in self.part_names:
            known = ", ".join(self.part_names) or "none"
            raise AssetError(f"head model {self.name}: no part {part!r}; it has: {known}")
        return self.faces[self.face_part == self.part_names.index(part)]

    def mouth_vertices(self) -> Int[np.ndarray, " m"]:
        """Vertices that only an open mouth shows: its inside, teeth and tongue; none where the model names none."""
        inside = self.regions.get("inner_mouth", np.zeros(len(self.v_template))) > 0.5
        parts = [self.part_faces(part).ravel() for part in MOUTH_PARTS if part in self.part_names]
        return np.unique(np.concatenate([np.flatnonzero(inside), *parts]))


def find_head(name: str) -> Path:
    """File of a head model by name (open, flame2020, flame2023) or path; see `imavatar.paths` for the folders.

    Raises:
        AssetError: there is no such file.
    """
    if name == "open":
        path = assets_dir() / OPEN_HEAD_FILE
        hint = f"build it with: {command('build_head')}"
    elif name in NAMED_HEADS:
        path = flame_dir() / NAMED_HEADS[name]
        hint = "flame/README.md says how to obtain it"
    else:
        path = Path(name).expanduser()
        hint = f"known names: open, {', '.join(NAMED_HEADS)}; anything else is a path"
    if not path.is_file():
        raise AssetError(f"head model {name!r}: {path} does not exist; {hint}")
    return path


def load_head(path: Path) -> HeadAssets:
    """Read a head model: `.pkl` (FLAME 2020 or 2023) or `.npz` (the open head).

    Raises:
        AssetError: the file is missing, damaged, asks for what is not allowed, or has an entry that is missing, of
            another shape or type, not finite, out of range, or of a head that no face can have.
    """
    path = Path(path)
    if not path.is_file():
        raise AssetError(f"{path} does not exist; flame/README.md says where head models come from")
    if path.suffix == ".pkl":
        table = load_flame_pickle(path)
    elif path.suffix == ".npz":
        table = read_npz_arrays(path)
    else:
        raise AssetError(f"{path}: a head model is a .pkl or .npz file, not {path.suffix!r}")
    return _from_table(HeadTable(path, table))


def save_head(path: Path, head: HeadAssets) -> None:
    """Write a head as .npz, atomically."""
    content: dict[str, Any] = {
        "v_template": head.v_template.astype(np.float32),
        "f": head.faces.astype(np.int32),
        "shapedirs": head.shapedirs.astype(np.float32),
        "posedirs": head.posedirs.astype(np.float32),
        "J_regressor": head.joint_regressor.astype(np.float32),
        "weights": head.weights.astype(np.float32),
        "kintree_table": np.array([JOINT_PARENTS, range(N_JOINTS)], dtype=np.int64),
        "part_names": np.array(head.part_names, dtype=str),
    }
    if head.face_part is not None:
        content["face_part"] = head.face_part.astype(np.int8)
    named = {"region": head.regions, "expression": head.named_expressions, "unit": head.face_units}
    content |= {f"{kind}_{key}": value for kind, values in named.items() for key, value in values.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **content)


def _from_table(table: HeadTable) -> HeadAssets:
    v_template = table.floats("v_template", (None, 3))
    n_vertices = len(v_template)
    if n_vertices == 0:
        raise table.error("v_template", "has no vertices, expected a head's surface")
    _check_parents(table)
    faces = table.whole_numbers("f", (None, 3), (0, n_vertices - 1), "vertex")
    if len(faces) == 0:
        raise table.error("f", f"has no faces, expected faces of vertices 0 to {n_vertices - 1}")
    shapedirs = table.floats("shapedirs", (n_vertices, 3, N_BLENDSHAPES))
    weights = table.floats("weights", (n_vertices, N_JOINTS))
    _check_plausible(table.path, v_template, faces, weights)
    part_names = table.names("part_names")
    regions = table.keys_after("region_").items()
    return HeadAssets(
        v_template=v_template,
        faces=faces,
        shapedirs=shapedirs,
        posedirs=table.floats("posedirs", (n_vertices, 3, POSE_FEATURE_SIZE)),
        joint_regressor=table.floats("J_regressor", (N_JOINTS, n_vertices)),
        weights=weights,
        name=table.path.stem,
        face_part=_face_part(table, len(faces), part_names),
        part_names=part_names,
        regions={name: table.floats(key, (n_vertices,), kinds="fiub") for name, key in regions},
        named_expressions=_coefficients(table, "expression_"),
        face_units=_coefficients(table, "unit_"),
    )


def _check_plausible(
    path: Path, v_template: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], weights: Float[np.ndarray, "v 5"]
) -> None:
    """Refuse heads that no face can have, which would otherwise show as an empty or torn image much later.

    Raises:
        AssetError: all vertices at one place, no face with an area, or weights that are negative or do not sum to 1.
    """
    vertices = v_template.astype(np.float64)
    extent = np.ptp(vertices, axis=0).max()
    if extent == 0:
        raise AssetError(f"{path}: v_template has all {len(vertices)} vertices at one place, expected a head's surface")
    if np.linalg.norm(face_normals(vertices, faces), axis=1).max() / 2 < SMALLEST_FACE * extent**2:
        raise AssetError(f"{path}: f has {len(faces)} faces and none with an area, expected a head's surface")
    sums = weights.sum(axis=1, dtype=np.float64)
    off = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[off] - 1) > WEIGHT_TOLERANCE:
        raise AssetError(f"{path}: weights of vertex {off} sum to {sums[off]:.4g}, expected 1")
    lowest = int(np.argmin(weights.min(axis=1)))
    if weights[lowest].min() < -WEIGHT_TOLERANCE:
        raise AssetError(f"{path}: weights of vertex {lowest} has {weights[lowest].min():.4g}, expected 0 to 1")


def _check_parents(table: HeadTable) -> None:
    found = table.whole_numbers("kintree_table", (2, N_JOINTS), (min(NO_PARENT), max(NO_PARENT)), "joint")[0]
    parents = tuple(-1 if parent in NO_PARENT else int(parent) for parent in found)
    if parents != JOINT_PARENTS:
        raise table.error("kintree_table", f"has parents {parents}, expected {JOINT_PARENTS}")


def _face_part(table: HeadTable, n_faces: int, part_names: tuple[str, ...]) -> Int[np.ndarray, " f"] | None:
    if (table.entries.get("face_part") is not None) != bool(part_names):
        given, missing = ("part_names", "face_part") if part_names else ("face_part", "part_names")
        raise table.error(given, f"is given, but not {missing}; expected both or neither")
    if not part_names:
        return None
    return table.whole_numbers("face_part", (n_faces,), (0, len(part_names) - 1), "part")


def _coefficients(table: HeadTable, prefix: str) -> dict[str, Float[np.ndarray, " e"]]:
    """Named coefficients of the first expression columns."""
    named = {}
    for name, key in table.keys_after(prefix).items():
        named[name] = table.floats(key, (None,))
        if not 0 < len(named[name]) <= MOST_COEFFICIENTS:
            raise table.error(key, f"has {len(named[name])} coefficients, expected 1 to {MOST_COEFFICIENTS}")
    return named
