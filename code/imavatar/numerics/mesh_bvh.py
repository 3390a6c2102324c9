"""Rays and points against a triangle mesh, by NVIDIA Warp on CPU and CUDA. No gradient."""

from dataclasses import dataclass
from typing import Any, no_type_check

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.numerics.nvidia_warp import initialise_warp
from imavatar.types import TensorRecord

MAX_DISTANCE = 1.0e3
MAX_EXITS = 8
PAST_FACE = 1.0e-4
"""Model units behind a face at which the next one is looked for."""
APPROACH_STEPS = 16
APPROACH_VERTICES = 1024
APPROACH_CHUNK = 2048
"""Rays and vertices whose distances are compared at a time."""

# What kernels are given, beside a mesh's number: one value a ray or point.
Vectors, Pairs = wp.array(dtype=wp.vec3), wp.array(dtype=wp.vec2)
Floats, Integers = wp.array(dtype=wp.float32), wp.array(dtype=wp.int32)


@dataclass(frozen=True)
class MeshPoints(TensorRecord):
    """Points on a mesh: face (-1 where there is none), barycentric coordinates, depth along the ray."""

    face: Int[Tensor, " n"]
    barycentric: Float[Tensor, "n 3"]
    depth: Float[Tensor, " n"]


class MeshBVH:
    """A bounding-volume hierarchy over a mesh; `refit` follows moved vertices.

    Args:
        vertices: copied.
        winding: points can be asked for their winding number, too.
    """

    def __init__(self, vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], *, winding: bool = False):
        initialise_warp()
        self.faces = faces
        self.vertices = vertices.detach().float().contiguous().clone()
        self._indices = faces.to(torch.int32).reshape(-1).contiguous()
        self._mesh = wp.Mesh(
            wp.from_torch(self.vertices, dtype=wp.vec3),
            wp.from_torch(self._indices, dtype=wp.int32),
            support_winding_number=winding,
        )

    def refit(self, vertices: Float[Tensor, "v 3"]) -> None:
        """Move the vertices; the faces stay."""
        self.vertices.copy_(vertices.detach())
        self._mesh.refit()

    def cast(self, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> MeshPoints:
        """First face of the mesh that each ray enters by: faces that it leaves by are passed."""
        found = _Found(len(origins), origins.device)
        self.launch(_cast_kernel, origins, [wp.from_torch(_vec3(directions), dtype=wp.vec3), *found.arrays()])
        return found.points()

    def closest_approach(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        near: Float[Tensor, " n"],
        far: Float[Tensor, " n"],
    ) -> MeshPoints:
        """The point of the mesh that each ray comes closest to, for rays that miss it, and the depth where they do.

        Args:
            near: least depth at which the first guess is looked for, model units.
            far: largest such depth.
        """
        found = _Found(len(origins), origins.device)
        rows = zip(*(values.split(APPROACH_CHUNK) for values in (origins, directions, near, far)), strict=True)
        start = torch.cat([self._nearest_vertex_depth(*part) for part in rows]) if len(origins) else near
        inputs = [wp.from_torch(_vec3(directions), dtype=wp.vec3), wp.from_torch(start.float().contiguous())]
        self.launch(_approach_kernel, origins, [*inputs, *found.arrays()])
        return found.points()

    def _nearest_vertex_depth(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        near: Float[Tensor, " n"],
        far: Float[Tensor, " n"],
    ) -> Float[Tensor, " n"]:
        """Depths in [near, far] at which rays come closest to some vertices, evenly taken."""
        vertices = self.vertices[:: 1 + len(self.vertices) // APPROACH_VERTICES].to(origins)
        along = directions @ vertices.T - (origins * directions).sum(dim=-1, keepdim=True)
        depth = along.clamp(min=near[:, None], max=far[:, None])
        squared = vertices.square().sum(dim=-1) - 2 * origins @ vertices.T + depth * (depth - 2 * along)
        nearest = squared.argmin(dim=-1, keepdim=True)
        return depth.gather(1, nearest)[:, 0]

    def launch(self, kernel: Any, points: Float[Tensor, "n 3"], arrays: list) -> None:
        """Run a kernel of the mesh, some points and arrays, once for each point."""
        start = wp.from_torch(_vec3(points), dtype=wp.vec3)
        device = wp.device_from_torch(points.device)
        wp.launch(kernel, len(points), [self._mesh.id, start, *arrays], device=device)


class _Found:
    """What kernels write of each ray: face, two barycentric coordinates, depth."""

    def __init__(self, n: int, device: torch.device):
        self.face = torch.full((n,), -1, dtype=torch.int32, device=device)
        self.uv = torch.zeros(n, 2, device=device)
        self.depth = torch.zeros(n, device=device)

    def arrays(self) -> list:
        """The same memory for Warp."""
        return [wp.from_torch(self.face), wp.from_torch(self.uv, dtype=wp.vec2), wp.from_torch(self.depth)]

    def points(self) -> MeshPoints:
        """The same as points on the mesh."""
        u, v = self.uv.unbind(dim=-1)
        return MeshPoints(self.face.long(), torch.stack([u, v, 1 - u - v], dim=-1), self.depth)


def signed_distance(
    vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """Distance to a mesh, negative where its winding number exceeds one half, and the closest face.

    The winding number gives meshes with a hole, such as a bust without a bottom, an inside too.
    """
    distance = torch.zeros(len(points), device=points.device)
    face = torch.zeros(len(points), dtype=torch.int32, device=points.device)
    index = MeshBVH(vertices, faces, winding=True)
    index.launch(_signed_distance_kernel, points, [wp.from_torch(distance), wp.from_torch(face)])
    return distance, face.long()


def distance_to_mesh(
    vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], points: Float[Tensor, "n 3"]
) -> Float[Tensor, " n"]:
    """Distance to a mesh without a sign, which takes a winding number and most of the time."""
    distance = torch.zeros(len(points), device=points.device)
    MeshBVH(vertices, faces).launch(_distance_kernel, points, [wp.from_torch(distance)])
    return distance


def _vec3(values: Float[Tensor, "n 3"]) -> Tensor:
    return values.detach().float().contiguous()


@wp.kernel
@no_type_check
def _cast_kernel(mesh: wp.uint64, origins: Vectors, directions: Vectors, face: Integers, uv: Pairs, depth: Floats):
    i = wp.tid()
    start = 0.0
    searching = True
    for _ in range(MAX_EXITS):
        if searching:
            query = wp.mesh_query_ray(mesh, origins[i] + directions[i] * start, directions[i], MAX_DISTANCE)
            searching = query.result
            if query.result:
                start = start + query.t
                if wp.dot(query.normal, directions[i]) < 0.0:
                    face[i] = query.face
                    uv[i] = wp.vec2(query.u, query.v)
                    depth[i] = start
                    searching = False
                start = start + PAST_FACE


@wp.kernel
@no_type_check
def _approach_kernel(
    mesh: wp.uint64, origins: Vectors, directions: Vectors, start: Floats, face: Integers, uv: Pairs, depth: Floats
):
    # From a depth that is nearly right: to the mesh, back to the ray, and again. What is known bounds every query.
    i = wp.tid()
    t = start[i]
    best = float(MAX_DISTANCE)
    searching = True
    for _ in range(APPROACH_STEPS):
        if searching:
            point = origins[i] + directions[i] * t
            query = wp.mesh_query_point_no_sign(mesh, point, best)
            searching = query.result
            if query.result:
                closest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
                distance = wp.length(point - closest)
                searching = distance < 0.9999 * best
                best = distance
                face[i] = query.face
                uv[i] = wp.vec2(query.u, query.v)
                depth[i] = t
                t = wp.dot(closest - origins[i], directions[i])


@wp.kernel
@no_type_check
def _distance_kernel(mesh: wp.uint64, points: Vectors, distance: Floats):
    i = wp.tid()
    query = wp.mesh_query_point_no_sign(mesh, points[i], MAX_DISTANCE)
    closest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
    distance[i] = wp.length(points[i] - closest)


@wp.kernel
@no_type_check
def _signed_distance_kernel(mesh: wp.uint64, points: Vectors, distance: Floats, face: Integers):
    i = wp.tid()
    query = wp.mesh_query_point_sign_winding_number(mesh, points[i], MAX_DISTANCE)
    closest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
    distance[i] = wp.length(points[i] - closest) * query.sign
    face[i] = query.face
