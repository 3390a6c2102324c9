"""The CC0 assets of MakeHuman, read with numpy: base mesh, morph targets, rig weights.

Raw axes: y up, z to the front, decimetres. Only the raw mesh has teeth, tongue and eyeballs.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from imavatar.errors import AssetError
from imavatar.paths import command

METRES_PER_DECIMETRE = 0.1
"""MakeHuman's unit is a decimetre."""
BODY_GROUP = "body"
PART_GROUPS = {
    "eye_l": "helper-l-eye",
    "eye_r": "helper-r-eye",
    "teeth_up": "helper-upper-teeth",
    "teeth_lo": "helper-lower-teeth",
    "tongue": "helper-tongue",
}
"""Parts of a head besides its skin, and the groups of the base mesh that hold them."""


@dataclass(frozen=True)
class BaseMesh:
    """The base mesh: vertices, texture coordinates, and per group the corners of its quads.

    `quads[group]` is [q, 4, 2]: vertex and texture index; a triangle repeats its last corner.
    """

    vertices: Float[np.ndarray, "v 3"]
    uv: Float[np.ndarray, "t 2"]
    quads: dict[str, Int[np.ndarray, "q 4 2"]]

    def group_vertices(self, group: str) -> Int[np.ndarray, " k"]:
        """Sorted vertex indices of a group."""
        return np.unique(self.quads[group][..., 0])


@dataclass(frozen=True)
class MakeHuman:
    """The folder of the assets: `mpfb2/` and `faceunits01/`."""

    root: Path

    def path(self, *parts: str) -> Path:
        """A file of the assets, which must exist."""
        path = self.root.joinpath(*parts)
        if not path.exists():
            raise AssetError(f"{path} does not exist; run: {command('fetch_assets')}")
        return path

    @property
    def targets(self) -> Path:
        """Folder of the morph targets."""
        return self.path("mpfb2", "targets")

    def base_mesh(self) -> BaseMesh:
        """The base mesh with its groups."""
        vertices, uv, faces = [], [], {}
        group = ""
        for line in self.path("mpfb2", "3dobjs", "base.obj").read_text().splitlines():
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append([float(word) for word in words[:3]])
            elif kind == "vt":
                uv.append([float(word) for word in words[:2]])
            elif kind == "g":
                group = words[0]
            elif kind == "f":
                corners = [[int(n) - 1 for n in word.split("/")[:2]] for word in words]
                corners += corners[-1:] * (4 - len(corners))
                faces.setdefault(group, []).append(corners)
        quads = {name: np.array(corners) for name, corners in faces.items()}
        return BaseMesh(np.array(vertices), np.array(uv), quads)

    def rig_weights(self) -> dict[str, Float[np.ndarray, "k 2"]]:
        """Per bone of the standard rig: vertex indices and weights."""
        content = json.loads(self.path("mpfb2", "rigs", "standard", "weights.default.json").read_text())
        return {bone: np.array(rows).reshape(-1, 2) for bone, rows in content["weights"].items()}

    def rig_parents(self) -> dict[str, str | None]:
        """Parent of each bone of the standard rig."""
        content = json.loads(self.path("mpfb2", "rigs", "standard", "rig.default.json").read_text())
        return {bone: entry["parent"] for bone, entry in content.get("bones", content).items()}

    def face_units(self) -> dict[str, Path]:
        """Files of the face units (a set of facial actions) by name."""
        folder = self.path("faceunits01", "targets", "faceunits")
        return {path.stem: path for path in sorted(folder.glob("*.target"))}

    def expression_units(self) -> dict[str, Path]:
        """Files of MakeHuman's own expression units by name."""
        folder = self.targets / "expression" / "units" / "caucasian"
        return {path.name.removesuffix(".target.gz"): path for path in sorted(folder.glob("*.gz"))}

    def texture(self, name: str) -> Path:
        """A mask in texture space: `lips`, `eyelids`, `ears`, `inside-mouth`."""
        return self.path("mpfb2", "textures", f"mpfb_{name}.jpg")


def read_target(path: Path) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, "k 3"]]:
    """Vertex indices and offsets (decimetres) of a morph target, gzipped or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt") as file:
            rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    except (OSError, EOFError) as error:
        raise AssetError(f"{path} cannot be read ({error}); fetch the assets again") from error
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return table[:, 0].astype(int), table[:, 1:]
