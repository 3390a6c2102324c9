"""From an avatar's fields to a mesh that moves as they do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.anatomy import HEAD_SCALE, MM_PER_UNIT
from imavatar.baking.baked import BakedAvatar, skeleton_of
from imavatar.baking.clean_mesh import MeshReport, decimate, relevant_parts, report, without_degenerate
from imavatar.baking.shown import Shown, without_hidden
from imavatar.fields.deformer import Deformer
from imavatar.fields.functions import DistanceFunction
from imavatar.numerics.linalg import transform_points
from imavatar.numerics.mesh import vertex_normals
from imavatar.numerics.skinning import blend_transforms
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.character import Character
from imavatar.rendering.proxy_mesh import newton_step
from imavatar.rendering.surface_mesh import extract_mesh
from imavatar.types import DeformationFields, PosedHead, concatenate

CHUNK = 8192
PROJECTIONS = 3
"""Newton steps by which simplified vertices return to the surface."""
LONGEST_STEP = 0.02
"""Model units that a vertex moves at most in one of them."""


@dataclass(frozen=True)
class MeshError:
    """Distances of the mesh's faces from the surface at their middles and vertices, mm."""

    mean: float
    quantile_99: float
    largest: float


@dataclass(frozen=True)
class CanonicalMesh:
    """The canonical surface as a light mesh, vertices in model units; what it is made of, and how far it is off."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    report: MeshReport
    error: MeshError

    def describe(self) -> str:
        """A line of text."""
        made, error = self.report, self.error
        return (
            f"mesh: {made.vertices} vertices, {made.faces} faces in {made.parts} part(s), {made.open_edges} open "
            f"edges, {made.shared_edges} edges of more than two faces; off the surface by {error.mean:.3f} mm on "
            f"average, {error.quantile_99:.3f} mm at 99 %, {error.largest:.2f} mm at most"
        )


@torch.no_grad()
def bake_mesh(
    avatar: Avatar, posed: PosedHead, *, resolution: int, n_faces: int, bound: float, shown: Shown | None = None
) -> CanonicalMesh:
    """The canonical surface as a light mesh.

    Args:
        posed: the frame (one row) whose latent code the surface has.
        resolution: cells along the longest side of the surface.
        bound: half the side of the cube that is searched, model units.
        shown: what is kept of the surface; without it all.
    """
    field, device = avatar.field(posed), posed.bone_transforms.device
    vertices, faces = extract_mesh(field, resolution=resolution, bound=bound, keep_largest=False, device=device)
    vertices, kept = without_hidden(vertices, faces.cpu().numpy(), shown)
    light, light_faces = relevant_parts(vertices.double().cpu().numpy(), kept)
    light, light_faces = decimate(light, light_faces, n_faces)
    points = torch.as_tensor(light).to(vertices)
    for _ in range(PROJECTIONS):
        parts = points.split(CHUNK)
        points = torch.cat([newton_step(part, *field.with_gradient(part), LONGEST_STEP) for part in parts])
    light, light_faces = without_degenerate(points.double().cpu().numpy(), light_faces)
    middles = torch.as_tensor(light[light_faces].mean(axis=1)).to(vertices)
    off = MM_PER_UNIT * torch.cat([_distance(field, part) for part in torch.cat([points, middles]).split(CHUNK)])
    error = MeshError(float(off.mean()), float(off.double().quantile(0.99)), float(off.max()))
    return CanonicalMesh(light, light_faces, report(light, light_faces), error)


def _distance(field: DistanceFunction, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """|f| over its slope: a distance also where f is not quite one."""
    sdf, gradient = field.with_gradient(points)
    return sdf.abs() / gradient.norm(dim=-1).clamp(min=0.1)


@torch.no_grad()
def bake_avatar(
    character: Character, canonical: Float[np.ndarray, "v 3"], faces: np.ndarray, frames: Sequence[PosedHead]
) -> BakedAvatar:
    """The deformer's fields, and colours, at the vertices of a canonical mesh (model units).

    Args:
        frames: each of one row; colours are the mean of those that vertices have in them.
    """
    x_c = torch.as_tensor(canonical).to(frames[0].bone_transforms)
    deformer, flame = character.avatar.deformer, character.flame
    parts = [_rest_and_fields(deformer, part) for part in x_c.split(CHUNK)]
    rest = torch.cat([part for part, _ in parts])
    fields = concatenate([part for _, part in parts])
    vertices, faces = _numpy(rest / HEAD_SCALE), np.asarray(faces)
    joints = (flame.J_regressor @ flame.v_template) / HEAD_SCALE
    return BakedAvatar(
        canonical=canonical,
        vertices=vertices,
        normals=vertex_normals(vertices, faces),
        faces=faces,
        expression=_numpy(fields.shapedirs.permute(2, 0, 1) / HEAD_SCALE),
        correctives=_numpy(fields.posedirs.transpose(0, 1) / HEAD_SCALE),
        weights=_numpy(fields.weights),
        skeleton=skeleton_of(_numpy(joints), flame.ghost_bone),
        colours=mean_colours(character.avatar, x_c, frames),
    )


def _rest_and_fields(deformer: Deformer, x_c: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 3"], DeformationFields]:
    """Where points are with all joints at rest and a neutral expression, and the deformer's fields there."""
    fields = deformer(x_c)
    canonical = blend_transforms(fields.weights, deformer.canonical_transforms)
    unposed = transform_points(torch.linalg.inv(canonical), x_c)
    return unposed - torch.einsum("nki,k->ni", fields.posedirs, deformer.canonical_pose_feature), fields


@torch.no_grad()
def mean_colours(avatar: Avatar, x_c: Float[Tensor, "n 3"], frames: Sequence[PosedHead]) -> Float[np.ndarray, "n 3"]:
    """Colours in [0, 1] of canonical points of the surface, the mean over frames of one row each."""
    total = torch.zeros_like(x_c)
    for posed in frames:
        total += torch.cat([avatar.appearance(part, posed).rgb for part in x_c.split(CHUNK)])
    return _numpy((total / len(frames) + 1) / 2).clip(0, 1)


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()
