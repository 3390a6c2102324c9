"""Points around the canonical head with what is known there: the deformer's fields and signed distances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from imavatar.losses import NEAR_HEAD, HeadSupervision
from imavatar.numerics.mesh import face_areas
from imavatar.numerics.mesh_bvh import signed_distance
from imavatar.types import DeformationFields

SURFACE_SPREADS = (0.01, 0.05)
"""Standard deviations, model units, of the samples around the surface."""

VERTEX_SPREADS = (0.004, 0.03, 0.2)
"""Around the head's vertices; the last one reaches into hair."""
SAMPLES_PER_SPREAD = 30000
FIELDS_SAMPLES, FIELDS_SPREADS = 30000, (0.0, 0.01, 0.05)
FACE_SPREADS = (0.005, 0.03)
MOUTH_SPREAD = 0.01
STILL = 0.1
"""A vertex that expressions move less than this share of the most mobile one is no part of the face."""


@dataclass(frozen=True)
class HeadSurface:
    """The canonical head as a surface: its supervision and its faces [f, 3].

    `mouth` are the vertices that only an open mouth shows, where the model has them.
    """

    supervision: HeadSupervision
    faces: Int[Tensor, "f 3"]
    mouth: Int[Tensor, " m"] | None = None

    @property
    def vertices(self) -> Float[Tensor, "v 3"]:
        """Canonical vertices, model units."""
        return self.supervision.vertices


def scatter_points(
    vertices: Float[Tensor, "v 3"], n: int, spread: float | Sequence[float], generator: torch.Generator
) -> Float[Tensor, "n 3"]:
    """Points around randomly drawn vertices; of several standard deviations each point has one, drawn as well."""
    rows = torch.randint(len(vertices), (n,), generator=generator)
    if not isinstance(spread, float):
        spread = torch.tensor(spread)[torch.randint(len(spread), (n, 1), generator=generator)]
    jitter = spread * torch.randn(n, 3, generator=generator)
    return vertices[rows.to(vertices.device)] + jitter.to(vertices)


def sample_fields(head: HeadSupervision, generator: torch.Generator) -> tuple[Float[Tensor, "n 3"], Int[Tensor, " n"]]:
    """Points around the head's vertices, and the vertex nearest to each."""
    points = scatter_points(head.vertices, FIELDS_SAMPLES, FIELDS_SPREADS, generator)
    return points, head.nearest(points)[1]


def jittered_vertices(
    head: HeadSupervision, n: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n 3"], DeformationFields, Bool[Tensor, " n"]]:
    """Points around the head's vertices, the fields of the vertex nearest to each, and which points lie at the skin."""
    points = scatter_points(head.vertices, n, VERTEX_SPREADS, generator)
    squared_distance, vertex = head.nearest(points)
    return points, head.fields[vertex], squared_distance < NEAR_HEAD


def mouth_points(head: HeadSurface, n: int, generator: torch.Generator) -> Float[Tensor, "n 3"]:
    """Canonical points around the vertices inside the mouth; none where the head has no such vertices."""
    if head.mouth is None or not len(head.mouth):
        return head.vertices.new_zeros(0, 3)
    return scatter_points(head.vertices[head.mouth], n, MOUTH_SPREAD, generator)


@dataclass(frozen=True)
class DistanceSamples:
    """Canonical points and their signed distances to the head, model units."""

    points: Float[Tensor, "n 3"]
    distances: Float[Tensor, " n"]

    def draw(self, n: int, generator: torch.Generator) -> "DistanceSamples":
        """Some of them, with replacement."""
        rows = torch.randint(len(self.points), (n,), generator=generator).to(self.points.device)
        return DistanceSamples(self.points[rows], self.distances[rows])


def sample_distances(head: HeadSurface, bound: float, generator: torch.Generator) -> DistanceSamples:
    """Points near the head and in the cube with their signed distances to the union of its parts."""
    near = _around_faces(head, face_areas(head.vertices, head.faces), SURFACE_SPREADS, generator)
    anywhere = (torch.rand(SAMPLES_PER_SPREAD, 3, generator=generator) * 2 - 1) * bound
    return _with_distances(head, torch.cat([near, anywhere.to(near)]))


def sample_face_distances(head: HeadSurface, generator: torch.Generator) -> DistanceSamples:
    """As `sample_distances`, but near the part of the surface that expressions move: lips, lids, cheeks, brows.

    Hair and clothes are elsewhere, so that the head is the truth here up to what its shape space lacks. The more a
    face moves, the more points it gets.
    """
    motion = head.supervision.fields.shapedirs.flatten(1).norm(dim=1)
    mobility = (motion / motion.max().clamp(min=1e-12))[head.faces].mean(dim=1)
    mobility = torch.where(mobility < STILL, 0.0, mobility)
    if not bool(mobility.any()):
        mobility = torch.ones_like(mobility)
    weight = face_areas(head.vertices, head.faces) * mobility
    return _with_distances(head, _around_faces(head, weight, FACE_SPREADS, generator))


def _around_faces(
    head: HeadSurface, weight: Float[Tensor, " f"], spreads: Sequence[float], generator: torch.Generator
) -> Float[Tensor, "n 3"]:
    """Points on faces, as many as their weights say, moved off the surface."""
    n = SAMPLES_PER_SPREAD * len(spreads)
    face = torch.multinomial(weight.cpu(), n, replacement=True, generator=generator)
    share = torch.rand(n, 3, generator=generator).log().neg()
    share = (share / share.sum(dim=1, keepdim=True)).to(head.vertices)
    on_surface = (head.vertices[head.faces][face.to(head.vertices.device)] * share[..., None]).sum(dim=1)
    spread = torch.tensor(spreads).repeat_interleave(SAMPLES_PER_SPREAD)[:, None]
    return on_surface + (torch.randn(n, 3, generator=generator) * spread).to(on_surface)


def _with_distances(head: HeadSurface, points: Float[Tensor, "n 3"]) -> DistanceSamples:
    """Signed distances to the union of the head's parts.

    Where the closest surface is the rim of an open part, as at the bottom of a bust, there is no
    truth: such points are left out.
    """
    distance = torch.full((len(points),), float("inf"), device=points.device)
    on_rim = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for faces in connected_parts(head.faces, len(head.vertices)):
        part_distance, face = signed_distance(head.vertices, faces, points)
        closer = part_distance < distance
        distance = torch.where(closer, part_distance, distance)
        on_rim = torch.where(closer, rim_faces(faces)[face], on_rim)
    return DistanceSamples(points[~on_rim], distance[~on_rim])


def connected_parts(faces: Int[Tensor, "f 3"], n_vertices: int) -> list[Int[Tensor, "p 3"]]:
    """Faces of each connected part of a mesh."""
    corners = faces.cpu().numpy()
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(n_vertices, n_vertices))
    label = torch.from_numpy(connected_components(graph, directed=False)[1][corners[:, 0]])
    return [faces[(label == part).to(faces.device)] for part in label.unique()]


def rim_faces(faces: Int[Tensor, "f 3"]) -> Bool[Tensor, " f"]:
    """Faces that touch an edge which only one face has."""
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(dim=1).values
    unique, count = torch.unique(edges, dim=0, return_counts=True)
    return torch.isin(faces, unique[count == 1].unique()).any(dim=1)
