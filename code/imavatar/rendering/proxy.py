"""A mesh of the canonical surface that stands in for it where a good first guess is wanted."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imavatar.fields.deformer import BoundDeformer
from imavatar.fields.geometry import BoundGeometry
from imavatar.numerics.isosurface import extract_isosurface
from imavatar.rendering.mesh_queries import MeshIndex, MeshPoints

CHUNK = 8192

PROBED_VERTICES = 160
"""About so many vertices tell how far a mesh is off the surface."""
GRADIENTS_AGE = 6
"""Projections that are made with the same gradients."""
FEATURES_AGE = 4
"""Frames that are posed with the same features of the deformer: in training it moves little in so few steps, and a
mesh is a first guess anyway."""


HULL_MARGIN = 1.5
"""The mesh's edges cut through a convex surface; rays are cast against vertices that are moved out by this many times
the height of the arc over the longest of their edges, so that a ray which grazes the surface meets the mesh."""


class ProxyMesh:
    """Vertices on the zero set of a signed-distance field, their gradients, and faces.

    Not differentiable. `cell` is the grid's spacing in model units. What is posed is the `hull`: the vertices, moved
    outwards where the surface is curved.

    Args:
        field: the canonical signed distance.
        resolution: cells along the longest side of the surface's bounding box.
        bound: half the side of the cube that is searched.
    """

    @torch.no_grad()
    def __init__(self, field: BoundGeometry, *, resolution: int, bound: float, device: torch.device):
        self.vertices, self.faces, self.cell = extract_isosurface(
            field, resolution=resolution, bound=bound, device=device
        )
        self.gradients = torch.zeros_like(self.vertices)
        self.hull = self.vertices
        self._index: MeshIndex | None = None
        self._features: tuple[Tensor, Tensor] | None = None
        self._age = 0
        self._projections = self._probe = 0
        self._posed: BoundDeformer | None = None
        self.project(field)

    @torch.no_grad()
    def project(self, field: BoundGeometry) -> None:
        """One Newton step of each vertex along its gradient onto the zero set.

        Gradients turn more slowly than the surface moves, and cost more than distances: they are seldom renewed.
        """
        if len(self.vertices) == 0:
            return
        if self._projections % GRADIENTS_AGE == 0:
            chunks = [field.with_gradient(chunk) for chunk in self.vertices.split(CHUNK)]
            sdf = torch.cat([value for value, _ in chunks])
            self.gradients = torch.cat([gradient for _, gradient in chunks])
        else:
            sdf = torch.cat([field(chunk) for chunk in self.vertices.split(CHUNK)])
        self._projections += 1
        step = sdf / self.gradients.square().sum(dim=-1).clamp(min=0.1)
        step = step.clamp(-self.cell, self.cell)
        self.vertices = self.vertices - step[:, None] * self.gradients
        self.hull = self._hull()
        self._features, self._posed = None, None

    def _hull(self) -> Float[Tensor, "v 3"]:
        """Vertices moved along their normals by HULL_MARGIN times the largest arc height of their edges.

        Over an edge e between normals n and m an arc of a circle is e . (m - n) / 8 high, below it if negative.
        """
        normals = F.normalize(self.gradients, dim=-1)
        arc = torch.zeros_like(self.vertices[:, 0])
        for first, second in ((0, 1), (1, 2), (2, 0)):
            ends = self.faces[:, [first, second]]
            edge, turn = (values[ends[:, 1]] - values[ends[:, 0]] for values in (self.vertices, normals))
            height = (edge * turn).sum(dim=-1) / 8
            arc = arc.scatter_reduce(0, ends.reshape(-1), height.repeat_interleave(2), "amax")
        return self.vertices + HULL_MARGIN * arc[:, None] * normals

    @torch.no_grad()
    def drift(self, field: BoundGeometry) -> float:
        """How far some of the vertices are off the zero set (98th percentile of the distance), model units."""
        if len(self.vertices) == 0:
            return 0.0
        stride = 1 + len(self.vertices) // PROBED_VERTICES
        probed = self.vertices[self._probe % stride :: stride]
        self._probe += 1
        return float(field(probed).abs().quantile(0.98))

    @torch.no_grad()
    def pose(self, deform: BoundDeformer) -> MeshIndex:
        """Index of the hull deformed to a frame; valid until the next call."""
        if self._posed is deform:
            return self._index
        if self._features is None or self._age >= FEATURES_AGE:
            chunks = [deform.deformer.features(chunk) for chunk in self.hull.split(CHUNK)]
            self._features = tuple(torch.cat(parts) for parts in zip(*chunks, strict=True))
            self._age = 0
        self._age += 1
        self._posed = deform
        posed = deform.from_features(self.hull, *self._features)
        if self._index is None:
            self._index = MeshIndex(posed, self.faces)
        else:
            self._index.refit(posed)
        return self._index

    def interpolate(self, values: Float[Tensor, "v d"], points: MeshPoints) -> Float[Tensor, "n d"]:
        """Per-vertex values at points of the mesh."""
        corners = values[self.faces[points.face]]
        return (corners * points.barycentric[..., None]).sum(dim=1)
