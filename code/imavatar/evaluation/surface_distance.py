"""How far the avatar's surface and the true one are apart where the face is seen, both ways, in millimetres."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from imavatar.anatomy import HEAD_SCALE, MM_PER_UNIT
from imavatar.data.dataset import Frame
from imavatar.data.subject import Inside
from imavatar.errors import DataError
from imavatar.numerics.mesh_bvh import MeshBVH, distance_to_mesh
from imavatar.rendering.camera import project

SAME_DEPTH = 0.01
"""Model units by which what a ray meets first may lie before a vertex that is still seen."""


@dataclass(frozen=True)
class Mesh:
    """Vertices in deformed space, model units, and faces."""

    vertices: Float[Tensor, "v 3"]
    faces: Int[Tensor, "f 3"]


class TrueMeshes:
    """The meshes of a recording's `ground_truth/vertices.npz`, by frame."""

    def __init__(self, path: Path):
        try:
            # Opened here: np.load leaves its own file open where the content is broken.
            with path.open("rb") as file, np.load(file) as content:
                vertices, faces = content["vertices"], content["faces"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path}: cannot be read as vertices [n, v, 3] and faces [f, 3]: {error}") from error
        if vertices.ndim != 3 or vertices.shape[-1] != 3 or faces.ndim != 2 or faces.shape[-1] != 3:
            found = f"vertices has the shape {vertices.shape} and faces {faces.shape}"
            raise DataError(f"{path}: {found}, expected [n, v, 3] and [f, 3]")
        self.path = path
        self.vertices = torch.from_numpy(vertices.astype(np.float32)) * HEAD_SCALE
        self.faces = torch.from_numpy(faces.astype(np.int64))

    @classmethod
    def find(cls, recording: Path) -> "TrueMeshes | None":
        """The meshes of a recording; None where it has none.

        Raises:
            DataError: they cannot be read, or a link leads out of the recording.
        """
        path = recording / "ground_truth" / "vertices.npz"
        Inside().check(path, recording)
        return cls(path) if path.is_file() else None

    def of(self, frame: Frame) -> Mesh:
        """The mesh of a frame, which is named by its number from 1 on.

        Raises:
            DataError: the file has no such frame.
        """
        number = int(frame.name) if frame.name.isascii() and frame.name.isdecimal() else 0
        if not 1 <= number <= len(self.vertices):
            raise DataError(f"{self.path}: has frames 1 to {len(self.vertices)}, none is {frame.name!r}")
        return Mesh(self.vertices[number - 1], self.faces)


def surface_distance(found: Mesh, truth: Mesh, frame: Frame, region: Bool[Tensor, "h w"]) -> float | None:
    """Mean of the mean distances from what is seen of the true face to the avatar, and back, millimetres.

    Vertices count that are seen in the region. None where either surface has none there.
    """
    ways = []
    for source, target in ((truth, found), (found, truth)):
        points = source.vertices[seen_in(source, frame, region)]
        if len(points) == 0 or len(target.faces) == 0:
            return None
        ways.append(float(distance_to_mesh(target.vertices, target.faces, points).mean()) * MM_PER_UNIT)
    return sum(ways) / 2


def seen_in(mesh: Mesh, frame: Frame, region: Bool[Tensor, "h w"]) -> Bool[Tensor, " v"]:
    """Vertices that the camera sees, at pixels of a region."""
    if len(mesh.faces) == 0:
        return torch.zeros(len(mesh.vertices), dtype=torch.bool)
    height, width = region.shape
    u, v = project(frame.camera, mesh.vertices[None])[0].round().long().unbind(dim=1)
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    chosen = inside & region[v.clamp(0, height - 1), u.clamp(0, width - 1)]
    centre = frame.camera.world_from_camera[0, :3, 3]
    sight = F.normalize(mesh.vertices - centre, dim=1)
    met = MeshBVH(mesh.vertices, mesh.faces).cast(centre.expand(len(mesh.vertices), 3), sight)
    distance = (mesh.vertices - centre).norm(dim=1)
    return chosen & (met.face >= 0) & (met.depth > distance - SAME_DEPTH)
