"""Triangle meshes as PLY files."""

from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8

from imavatar.data.workplace import write_errors
from imavatar.files.atomic import write_bytes


def write_ply(
    path: Path,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    colours: UInt8[np.ndarray, "v 3"] | None = None,
) -> None:
    """Write a binary PLY in one step: the file is there whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    mesh = trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)
    with write_errors(path):
        write_bytes(path, mesh.export(file_type="ply"))
