"""Head models in FLAME's file layout: FLAME's own pickles and the open head, read into one record."""

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from imavatar.anatomy import JOINT_PARENTS, N_JOINTS, POSE_FEATURE_SIZE
from imavatar.errors import AssetError
from imavatar.head.restricted_pickle import load_flame_pickle

N_BLENDSHAPES = 400
OPEN_HEAD_FILE = "open_head.npz"
MOUTH_PARTS = ("teeth_up", "teeth_lo", "tongue")
NAMED_HEADS = {
    "flame2020": Path("FLAME2020") / "generic_model.pkl",
    "flame2023": Path("FLAME2023") / "flame2023.pkl",
}
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

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint, -1 for the root: the same tree in all models of this layout."""
        return JOINT_PARENTS

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


def find_head(name: str, assets_dir: Path, flame_dir: Path) -> Path:
    """File of a head model by name (open, flame2020, flame2023) or path."""
    if name == "open":
        path = assets_dir / OPEN_HEAD_FILE
        hint = "build it with: python scripts/build_head.py"
    elif name in NAMED_HEADS:
        path = flame_dir / NAMED_HEADS[name]
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
        AssetError: the file is missing, damaged, not allowed, or lacks a key or shape.
    """
    path = Path(path)
    if not path.is_file():
        raise AssetError(f"{path} does not exist; flame/README.md says where head models come from")
    if path.suffix == ".pkl":
        table = load_flame_pickle(path)
    elif path.suffix == ".npz":
        table = _read_npz(path)
    else:
        raise AssetError(f"{path}: a head model is a .pkl or .npz file, not {path.suffix!r}")
    return _from_table(path, table)


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
        "part_names": np.array(head.part_names),
    }
    if head.face_part is not None:
        content["face_part"] = head.face_part.astype(np.int8)
    content |= {f"region_{key}": value for key, value in head.regions.items()}
    content |= {f"expression_{key}": value for key, value in head.named_expressions.items()}
    content |= {f"unit_{key}": value for key, value in head.face_units.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.savez(file, **content)
    os.replace(temporary, path)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise AssetError(f"{path} cannot be read as a head model ({error}); make it anew") from error


def _from_table(path: Path, table: dict[str, Any]) -> HeadAssets:
    n_vertices = len(_array(path, table, "v_template", (None, 3)))
    parents = _array(path, table, "kintree_table", (2, N_JOINTS)).astype(np.int64)[0]
    parents = tuple(-1 if parent in (-1, 2**32 - 1) else int(parent) for parent in parents)
    if parents != JOINT_PARENTS:
        raise AssetError(f"{path}: kintree_table has parents {parents}, expected {JOINT_PARENTS}")
    faces = _array(path, table, "f", (None, 3)).astype(np.int64)
    outside = faces[(faces < 0) | (faces >= n_vertices)]
    if len(faces) == 0 or len(outside) > 0:
        found = "no faces" if len(faces) == 0 else f"vertex {outside[0]}"
        raise AssetError(f"{path}: f has {found}, expected faces of vertices 0 to {n_vertices - 1}")
    face_part = table.get("face_part")
    return HeadAssets(
        v_template=_floats(path, table, "v_template", (n_vertices, 3)),
        faces=faces,
        shapedirs=_floats(path, table, "shapedirs", (n_vertices, 3, N_BLENDSHAPES)),
        posedirs=_floats(path, table, "posedirs", (n_vertices, 3, POSE_FEATURE_SIZE)),
        joint_regressor=_floats(path, table, "J_regressor", (N_JOINTS, n_vertices)),
        weights=_floats(path, table, "weights", (n_vertices, N_JOINTS)),
        name=path.stem,
        face_part=None if face_part is None else face_part.astype(np.int64),
        part_names=tuple(str(part) for part in table.get("part_names", ())),
        regions=_with_prefix(table, "region_"),
        named_expressions=_with_prefix(table, "expression_"),
        face_units=_with_prefix(table, "unit_"),
    )


def _with_prefix(table: dict[str, Any], prefix: str) -> dict[str, np.ndarray]:
    return {key[len(prefix) :]: table[key] for key in table if key.startswith(prefix)}


def _array(path: Path, table: dict[str, Any], key: str, shape: tuple) -> np.ndarray:
    if key not in table:
        raise AssetError(f"{path}: no {key}; found {', '.join(sorted(map(str, table)))}")
    value = table[key]
    value = value.toarray() if hasattr(value, "toarray") else np.asarray(value)
    wanted = "x".join("any" if size is None else str(size) for size in shape)
    fits = value.ndim == len(shape) and all(
        size is None or size == found for size, found in zip(shape, value.shape, strict=True)
    )
    if not fits:
        found = "x".join(map(str, value.shape))
        raise AssetError(f"{path}: {key} has the shape {found}, expected {wanted}")
    return value


def _floats(path: Path, table: dict[str, Any], key: str, shape: tuple) -> np.ndarray:
    value = _array(path, table, key, shape)
    if value.dtype.kind not in "fiu":
        raise AssetError(f"{path}: {key} holds {value.dtype}, expected numbers")
    value = value.astype(np.float32)
    if not np.isfinite(value).all():
        raise AssetError(f"{path}: {key} holds numbers that are not finite")
    return value
