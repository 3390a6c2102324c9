"""A mesh of the canonical surface that stands in for it where a good first guess is wanted."""

import time
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.fields.functions import DistanceFunction, MeshDeformation
from imavatar.numerics.isosurface import extract_isosurface
from imavatar.numerics.mesh_bvh import MeshBVH, MeshPoints

CHUNK = 8192

FRESH_DRIFT, UPDATE_DRIFT, REBUILD_DRIFT = 0.03, 0.6, 1.5
"""Distance of the surface from the mesh, in cells, found before every search: below the first, distances on the mesh
need not be evaluated; above the others it is updated, and made anew."""

PROBED_VERTICES = 160
"""About so many vertices tell how far a mesh is off the surface."""
RENEWAL = 6
"""Every so many updates all vertices are evaluated, with their gradients."""
FEATURES_AGE = 4
"""Frames that are posed with the same features of the deformer: in training it moves little in so few steps, and a
mesh is a first guess anyway."""

SAMPLED_SHARE = 6
"""One vertex in so many is evaluated where the others follow it."""
FOLLOWED = 3
"""Evaluated vertices that each of the others follows."""
FOLLOW_CHUNK = 2048

INFLATION = 1.5
"""The mesh's edges cut through a convex surface; rays are cast against vertices that are moved out by this many times
the height of the arc over the longest of their edges, so that a ray which grazes the surface meets the mesh."""


def newton_step(
    points: Float[Tensor, "n 3"], sdf: Float[Tensor, " n"], gradient: Float[Tensor, "n 3"], longest: float
) -> Float[Tensor, "n 3"]:
    """Points moved along the gradient towards the zero set, by about `longest` at most."""
    step = sdf / gradient.square().sum(dim=-1).clamp(min=0.1)
    return points - step.clamp(-longest, longest)[:, None] * gradient


class ProxyMesh:
    """Vertices on the zero set of a signed-distance field, their gradients, and faces.

    Not differentiable. `cell` is the grid's spacing in model units. What is posed is `inflated`: the vertices, moved
    outwards where the surface is curved.

    Args:
        resolution: cells along the longest side of the surface's bounding box.
        bound: half the side of the cube that is searched.
    """

    @torch.no_grad()
    def __init__(self, field: DistanceFunction, *, resolution: int, bound: float, device: torch.device):
        self.vertices, self.faces, self.cell = extract_isosurface(
            field, resolution=resolution, bound=bound, device=device
        )
        self.gradients = torch.zeros_like(self.vertices)
        self.inflated = self.vertices
        self._index: MeshBVH | None = None
        self._features: tuple[Tensor, Tensor] | None = None
        self._age = self._updates = self._probe = 0
        self._follow: tuple[Tensor, Tensor] | None = None
        self._posed: MeshDeformation | None = None
        self.project(field)

    @torch.no_grad()
    def update(self, field: DistanceFunction) -> None:
        """Move the vertices to the zero set along their gradients; every RENEWAL-th time all are evaluated anew.

        In between all vertices follow one in SAMPLED_SHARE of them: between two steps of training the surface moves
        smoothly, so that vertices near each other are off by the same distance, and gradients turn slowly.
        """
        if len(self.vertices) == 0:
            return
        self._updates += 1
        if self._updates % RENEWAL == 0:
            self.project(field)
            return
        if self._follow is None:
            self._follow = self._nearest_samples()
        nearest, share = self._follow
        sdf = torch.cat([field(chunk) for chunk in self.vertices[::SAMPLED_SHARE].split(CHUNK)])
        self._step((sdf[nearest] * share).sum(dim=-1))

    @torch.no_grad()
    def project(self, field: DistanceFunction) -> None:
        """One Newton step of each vertex onto the zero set, along its own gradient."""
        if len(self.vertices) == 0:
            return
        chunks = [field.with_gradient(chunk) for chunk in self.vertices.split(CHUNK)]
        self.gradients = torch.cat([gradient for _, gradient in chunks])
        self._step(torch.cat([value for value, _ in chunks]))

    def _nearest_samples(self) -> tuple[Int[Tensor, "v k"], Float[Tensor, "v k"]]:
        """Of each vertex the FOLLOWED nearest of every SAMPLED_SHARE-th vertex, and their weights by distance."""
        samples = self.vertices[::SAMPLED_SHARE]
        found = [
            torch.cdist(chunk, samples).topk(min(FOLLOWED, len(samples)), largest=False)
            for chunk in self.vertices.split(FOLLOW_CHUNK)
        ]
        weight = 1 / (torch.cat([near.values for near in found]) + 1e-2 * self.cell)
        return torch.cat([near.indices for near in found]), weight / weight.sum(dim=-1, keepdim=True)

    def _step(self, sdf: Float[Tensor, " v"]) -> None:
        """Move each vertex, `sdf` off the zero set, along its gradient by no more than a cell."""
        self.vertices = newton_step(self.vertices, sdf, self.gradients, self.cell)
        self.inflated = self._inflated()
        self._features, self._posed = None, None

    def _inflated(self) -> Float[Tensor, "v 3"]:
        """Vertices moved along their normals by INFLATION times the largest arc height of their edges.

        Over an edge e between normals n and m an arc of a circle is e . (m - n) / 8 high, below it if negative.
        """
        normals = F.normalize(self.gradients, dim=-1)
        arc = torch.zeros_like(self.vertices[:, 0])
        for first, second in ((0, 1), (1, 2), (2, 0)):
            ends = self.faces[:, [first, second]]
            edge, turn = (values[ends[:, 1]] - values[ends[:, 0]] for values in (self.vertices, normals))
            height = (edge * turn).sum(dim=-1) / 8
            arc = arc.scatter_reduce(0, ends.reshape(-1), height.repeat_interleave(2), "amax")
        return self.vertices + INFLATION * arc[:, None] * normals

    @torch.no_grad()
    def distance_to_surface(self, field: DistanceFunction) -> float:
        """How far some of the vertices are off the zero set (98th percentile of the distance), model units."""
        if len(self.vertices) == 0:
            return 0.0
        stride = 1 + len(self.vertices) // PROBED_VERTICES
        probed = self.vertices[self._probe % stride :: stride]
        self._probe += 1
        return float(field(probed).abs().quantile(0.98))

    @torch.no_grad()
    def pose(self, deform: MeshDeformation) -> MeshBVH:
        """Hierarchy over the inflated mesh, deformed to a frame; valid until the next call."""
        if self._index is not None and self._posed is deform:
            return self._index
        if self._features is None or self._age >= FEATURES_AGE:
            chunks = [deform.deformer.features(chunk) for chunk in self.inflated.split(CHUNK)]
            self._features = torch.cat([hidden for hidden, _ in chunks]), torch.cat([weights for _, weights in chunks])
            self._age = 0
        self._age += 1
        self._posed = deform
        posed = deform.from_features(self.inflated, *self._features)
        if self._index is None:
            self._index = MeshBVH(posed, self.faces)
        else:
            self._index.refit(posed)
        return self._index

    def interpolate(self, values: Float[Tensor, "v d"], points: MeshPoints) -> Float[Tensor, "n d"]:
        """Per-vertex values at points of the mesh."""
        corners = values[self.faces[points.face]]
        return (corners * points.barycentric[..., None]).sum(dim=1)

    def estimate_sdf(self, start: Float[Tensor, "n 3"], points: MeshPoints) -> Float[Tensor, " n"]:
        """Signed distances of points of the mesh, by how its gradients turn between the corners of a face.

        Half the mean of the distances from the corners' tangent planes: exact where the surface is quadratic.
        """
        corners = self.faces[points.face]
        offset = start[:, None] - self.vertices[corners]
        return 0.5 * ((self.gradients[corners] * offset).sum(dim=-1) * points.barycentric).sum(dim=-1)


@dataclass
class ProxyStatistics:
    """How a mesh was kept: its largest distance from the surface (98th percentile, in cells) before it was updated or
    made anew, how often it was and how many seconds that took, for how many calls it was used as it is, now and at
    most.
    """

    drift: float = 0.0
    moved: int = 0
    rebuilt: int = 0
    seconds: float = 0.0
    calls: int = 0
    most_calls: int = 0


class CachedProxy:
    """The mesh of a surface that changes little from call to call: kept, updated, or made anew.

    `fresh` says whether the latest mesh is so near the surface that distances on it need not be evaluated; `resolution`
    and `bound` are those of `ProxyMesh`.
    """

    def __init__(self, *, resolution: int, bound: float):
        self.resolution, self.bound, self.fresh = resolution, bound, False
        self.reset()

    def reset(self) -> None:
        """Forget the mesh."""
        self._mesh: ProxyMesh | None = None
        self._statistics = ProxyStatistics()

    def statistics(self) -> dict[str, float]:
        """`ProxyStatistics` since `reset`, as they are logged."""
        return {f"proxy_{name}": float(value) for name, value in asdict(self._statistics).items()}

    def mesh(self, field: DistanceFunction, device: torch.device) -> ProxyMesh:
        """The mesh, updated or made anew where the surface has left it."""
        started = time.perf_counter()
        mesh, found, drift = self._mesh, self._statistics, 0.0
        if mesh is not None and len(mesh.faces) > 0:
            drift = mesh.distance_to_surface(field) / mesh.cell
            found.drift = max(found.drift, drift)
        if mesh is None or len(mesh.faces) == 0 or drift > REBUILD_DRIFT:
            self._mesh = mesh = ProxyMesh(field, resolution=self.resolution, bound=self.bound, device=device)
            found.rebuilt, found.calls = found.rebuilt + 1, 0
        elif drift > UPDATE_DRIFT:
            mesh.update(field)
            found.moved, found.calls = found.moved + 1, 0
        self.fresh = drift < FRESH_DRIFT
        found.seconds += time.perf_counter() - started
        found.calls += 1
        found.most_calls = max(found.most_calls, found.calls)
        return mesh
