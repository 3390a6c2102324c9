"""Start from the fitted head instead of a sphere: the fields are regressed to the head's own."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from imavatar.fields.deformer import Deformer
from imavatar.losses import HeadSupervision, head_fields_loss
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.mesh_queries import signed_distance
from imavatar.types import DeformationFields

logger = logging.getLogger(__name__)

SURFACE_SPREADS = (0.01, 0.05)
"""Standard deviations, model units, of the samples around the surface."""

VERTEX_SPREADS = (0.004, 0.03, 0.1)
SAMPLES_PER_SPREAD = 30000
SDF_BATCH, SDF_RATE = 1536, 1e-3
FIELDS_BATCH, FIELDS_RATE = 512, 2e-3
FIELDS_SAMPLES, FIELDS_SPREADS = 30000, (0.0, 0.01, 0.05)
BLENDSHAPES_RATE = 5e-5
"""Blendshapes are small numbers (a standard deviation moves a lip by hundredths of a unit): larger steps are noise."""
RIDGE = 1e-5
FINAL_RATE = 0.05


@dataclass(frozen=True)
class HeadSurface:
    """The canonical head as a surface: its supervision and its faces [f, 3]."""

    supervision: HeadSupervision
    faces: Int[Tensor, "f 3"]

    @property
    def vertices(self) -> Float[Tensor, "v 3"]:
        """Canonical vertices, model units."""
        return self.supervision.vertices


def warm_start(avatar: Avatar, head: HeadSurface, *, n_steps: int, bound: float, generator: torch.Generator) -> None:
    """Regress the signed distance to the head's mesh, and the deformer to its vertices' fields.

    Args:
        n_steps: of each of the two regressions.
        bound: half the side of the cube in which distances are sampled, model units.
    """
    points, distances = sample_distances(head, bound, generator)
    latent = torch.zeros(1, avatar.geometry.latent_size).to(points)

    def sdf_loss() -> Tensor:
        rows = torch.randint(len(points), (SDF_BATCH,), generator=generator).to(points.device)
        return (avatar.geometry.sdf(points[rows], latent) - distances[rows]).abs().mean()

    final = regress([(list(avatar.geometry.parameters()), SDF_RATE)], sdf_loss, n_steps)
    logger.info("warm start: signed distance, mean error %.4f", final)

    samples, vertex = sample_fields(head.supervision, generator)
    fields = head.supervision.fields

    def fields_loss() -> Tensor:
        rows = torch.randint(len(samples), (FIELDS_BATCH,), generator=generator).to(samples.device)
        return head_fields_loss(avatar.deformer(samples[rows]), fields[vertex[rows]])

    deformer = avatar.deformer
    linear = list(deformer.blendshapes.parameters())
    others = [p for p in deformer.parameters() if all(p is not q for q in linear)]
    final = regress([(others, FIELDS_RATE), (linear, BLENDSHAPES_RATE)], fields_loss, n_steps)
    solve_blendshapes(deformer, samples, fields[vertex])
    logger.info("warm start: deformer, supervision %.4f", final)


def regress(groups: Sequence[tuple[list[nn.Parameter], float]], loss: Callable[[], Tensor], n_steps: int) -> float:
    """Adam on groups of parameters with their rates, which fall exponentially; returns the last loss."""
    optimiser = torch.optim.Adam([{"params": parameters, "lr": rate} for parameters, rate in groups])
    value = torch.zeros(())
    for step in range(n_steps):
        for group, (_, rate) in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = rate * FINAL_RATE ** (step / n_steps)
        optimiser.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimiser.step()
    return float(value.detach())


@torch.no_grad()
def solve_blendshapes(deformer: Deformer, points: Float[Tensor, "n 3"], target: DeformationFields) -> None:
    """Set the linear layer of blendshapes and correctives to the least-squares solution at points.

    The fields are linear in the last hidden layer, so that this needs no steps at all.
    """
    hidden = deformer.hidden(points)[-1]
    system = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1).double()
    wanted = torch.cat([target.posedirs.flatten(1), target.shapedirs.flatten(1)], dim=1).double()
    normal = system.T @ system
    ridge = RIDGE * normal.diagonal().mean() * torch.eye(len(normal)).to(normal)
    solution = torch.linalg.solve(normal + ridge, system.T @ wanted)
    deformer.blendshapes.weight.copy_(solution[:-1].T)
    deformer.blendshapes.bias.copy_(solution[-1])


def sample_fields(head: HeadSupervision, generator: torch.Generator) -> tuple[Float[Tensor, "n 3"], Int[Tensor, " n"]]:
    """Points around the head's vertices, and the vertex nearest to each."""
    rows = torch.randint(len(head.vertices), (FIELDS_SAMPLES,), generator=generator)
    spread = torch.tensor(FIELDS_SPREADS)[torch.randint(3, (FIELDS_SAMPLES, 1), generator=generator)]
    jitter = torch.randn(FIELDS_SAMPLES, 3, generator=generator) * spread
    points = head.vertices[rows.to(head.vertices.device)] + jitter.to(head.vertices)
    return points, head.nearest(points)[1]


def jittered_vertices(
    head: HeadSupervision, n: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n 3"], DeformationFields]:
    """Points around the head's vertices, and the fields of the vertex nearest to each."""
    rows = torch.randint(len(head.vertices), (n,), generator=generator)
    spread = torch.tensor(VERTEX_SPREADS)[torch.randint(3, (n, 1), generator=generator)]
    jitter = torch.randn(n, 3, generator=generator) * spread
    points = head.vertices[rows.to(head.vertices.device)] + jitter.to(head.vertices)
    _, vertex = head.nearest(points)
    return points, head.fields[vertex]


def sample_distances(
    head: HeadSurface, bound: float, generator: torch.Generator
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """Points near the head and in the cube with their signed distances to the union of its parts.

    Where the closest surface is the rim of an open part, as at the bottom of a bust, there is no
    truth: such points are left out.
    """
    vertices = head.vertices
    device = vertices.device
    on_surface = _surface_points(vertices, head.faces, SAMPLES_PER_SPREAD * 2, generator)
    spreads = torch.tensor(SURFACE_SPREADS).repeat_interleave(SAMPLES_PER_SPREAD)[:, None]
    jitter = torch.randn(len(on_surface), 3, generator=generator) * spreads
    anywhere = (torch.rand(SAMPLES_PER_SPREAD, 3, generator=generator) * 2 - 1) * bound
    points = torch.cat([on_surface + jitter.to(on_surface), anywhere.to(on_surface)])
    distance = torch.full((len(points),), float("inf"), device=device)
    on_rim = torch.zeros(len(points), dtype=torch.bool, device=device)
    for faces in connected_parts(head.faces, len(vertices)):
        part_distance, face = signed_distance(vertices, faces, points)
        rim = rim_faces(faces)[face]
        closer = part_distance < distance
        distance = torch.where(closer, part_distance, distance)
        on_rim = torch.where(closer, rim, on_rim)
    return points[~on_rim], distance[~on_rim]


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
    rim_vertices = unique[count == 1].unique()
    return torch.isin(faces, rim_vertices).any(dim=1)


def _surface_points(vertices, faces, n, generator) -> Float[Tensor, "n 3"]:
    corners = vertices[faces]
    edges = corners[:, 1:] - corners[:, :1]
    area = torch.linalg.cross(edges[:, 0], edges[:, 1], dim=-1).norm(dim=-1)
    face = torch.multinomial(area.cpu(), n, replacement=True, generator=generator)
    weight = torch.rand(n, 3, generator=generator).log().neg()
    weight = (weight / weight.sum(dim=1, keepdim=True)).to(vertices)
    return (corners[face.to(vertices.device)] * weight[..., None]).sum(dim=1)
