"""From the surface as marching cubes give it to a light mesh without faults."""

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, Int

from imavatar.errors import ImavatarError
from imavatar.numerics.mesh import face_normals

RELEVANT = 0.01
"""Parts with a smaller share of the largest part's area are specks."""
LEAST_QUALITY = 1e-6
"""A face whose area is less than this times its longest edge squared is degenerate."""

Vertices = Float[np.ndarray, "v 3"]
Faces = Int[np.ndarray, "f 3"]
Mesh = tuple[Float[np.ndarray, "w 3"], Int[np.ndarray, "g 3"]]
"""Other vertices and faces than those that were given."""


@dataclass(frozen=True)
class MeshReport:
    """What a mesh is made of; `open_edges` have one face, `shared_edges` more than two."""

    vertices: int
    faces: int
    parts: int
    open_edges: int
    shared_edges: int
    degenerate: int


def report(vertices: Vertices, faces: Faces) -> MeshReport:
    """Count parts and faults."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    parts = len(trimesh.graph.connected_components(edges, nodes=np.unique(faces))) if len(faces) else 0
    return MeshReport(
        vertices=len(vertices),
        faces=len(faces),
        parts=parts,
        open_edges=int((count == 1).sum()),
        shared_edges=int((count > 2).sum()),
        degenerate=int(_degenerate(vertices, faces).sum()),
    )


def relevant_parts(vertices: Vertices, faces: Faces) -> Mesh:
    """The connected parts of a mesh that are no specks."""
    if len(faces) == 0:
        return vertices, faces
    label = trimesh.graph.connected_component_labels(faces[:, [[0, 1], [1, 2]]].reshape(-1, 2), len(vertices))
    area = np.bincount(label[faces[:, 0]], trimesh.triangles.area(vertices[faces]), minlength=label.max() + 1)
    return _compact(vertices, faces[(area >= RELEVANT * area.max())[label[faces[:, 0]]]])


def decimate(vertices: Vertices, faces: Faces, n_faces: int) -> Mesh:
    """At most about `n_faces` faces, by quadric error; a mesh that has no more stays as it is.

    Raises:
        ImavatarError: the library that does it is not installed.
    """
    if len(faces) <= n_faces:
        return vertices, faces
    try:
        import fast_simplification
    except ImportError as error:
        raise ImavatarError("decimation needs fast-simplification: install the extra `export`") from error
    found, kept = fast_simplification.simplify(
        np.ascontiguousarray(vertices, dtype=np.float32), np.ascontiguousarray(faces), target_count=n_faces
    )
    return without_degenerate(found.astype(vertices.dtype), kept.astype(np.int64))


def without_degenerate(vertices: Vertices, faces: Faces) -> Mesh:
    """Faces with an area, and the vertices that they have."""
    return _compact(vertices, faces[~_degenerate(vertices, faces)])


def _degenerate(vertices: Vertices, faces: Faces) -> np.ndarray:
    corners = vertices[faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1, initial=0)
    area = np.linalg.norm(face_normals(vertices, faces), axis=1) / 2
    return ~(area > LEAST_QUALITY * longest**2)


def _compact(vertices: Vertices, faces: Faces) -> Mesh:
    used, index = np.unique(faces, return_inverse=True)
    return vertices[used], index.reshape(-1, 3)
