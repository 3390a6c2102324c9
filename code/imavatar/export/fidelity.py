"""How far what a viewer shows of a baked avatar is from the avatar itself."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from imavatar.anatomy import HEAD_SCALE, MM_PER_UNIT
from imavatar.baking.baked import BakedAvatar, with_strongest
from imavatar.baking.clean_mesh import relevant_parts
from imavatar.baking.drawing import draw
from imavatar.baking.shown import Shown, without_hidden
from imavatar.numerics.isosurface import extract_isosurface
from imavatar.numerics.mesh_bvh import distance_to_mesh
from imavatar.rendering.character import Character
from imavatar.rendering.image import ImageRenderer
from imavatar.types import HeadParameters, View

CHUNK = 8192
REFERENCE_RESOLUTION = 320


@dataclass(frozen=True)
class SurfaceFidelity:
    """Distances between the posed mesh and the posed implicit surface, both ways, over all frames; mm."""

    frames: int
    mean: float
    quantile_99: float
    largest: float


@torch.no_grad()
def surface_fidelity(
    baked: BakedAvatar,
    character: Character,
    heads: HeadParameters,
    bound: float,
    resolution: int = REFERENCE_RESOLUTION,
    shown: Shown | None = None,
) -> SurfaceFidelity:
    """Over frames: vertices and middles of faces to the implicit surface, and that surface's points to the mesh.

    Specks of the surface, which a mesh leaves out, do not count. The mesh is posed by the formula of glTF with the
    weights that a file holds.

    Args:
        bound: half the side of the cube that the surface lies in, model units.
        resolution: cells of the mesh that stands for the implicit surface, along its longest side.
        shown: what the mesh was made of; the rest of the surface does not count.
    """
    weights = with_strongest(baked.weights)
    avatar, device = character.avatar, character.device
    first = character.pose(heads[:1])
    vertices, faces, _ = extract_isosurface(avatar.field(first), resolution=resolution, bound=bound, device=device)
    vertices, kept = without_hidden(vertices, faces.cpu().numpy(), shown)
    parts = relevant_parts(vertices.double().cpu().numpy(), kept)
    canonical, faces = torch.as_tensor(parts[0]).to(vertices), torch.as_tensor(parts[1], device=device)
    distances = []
    for k in range(len(heads)):
        posed = character.pose(heads[k : k + 1])
        bound_deformer = avatar.for_frame(posed)
        reference = torch.cat([bound_deformer(part) for part in canonical.split(CHUNK)])
        vertices = torch.as_tensor(HEAD_SCALE * baked.vertices_in(posed, weights=weights)).to(reference)
        own_faces = torch.as_tensor(baked.faces, device=device)
        middles = vertices[own_faces].mean(dim=1)
        distances.append(distance_to_mesh(reference, faces, torch.cat([vertices, middles])))
        distances.append(distance_to_mesh(vertices, own_faces, reference))
    found = MM_PER_UNIT * torch.cat(distances).double()
    return SurfaceFidelity(
        len(heads), float(found.mean()), float(np.quantile(found.cpu().numpy(), 0.99)), float(found.max())
    )


@torch.no_grad()
def image_fidelity(
    baked: BakedAvatar, renderer: ImageRenderer, character: Character, heads: HeadParameters, view: View
) -> list[float]:
    """PSNR in dB of each frame between the avatar's own rendering and the mesh's, colours unlit.

    Args:
        view: a camera a frame.
    """
    weights = with_strongest(baked.weights)
    values = []
    for k in range(len(heads)):
        posed = character.pose(heads[k : k + 1])
        camera = view.camera[k : k + 1].to(character.device)
        own = (renderer.render(camera, posed, view.height, view.width).rgb.double().cpu().numpy() + 1) / 2
        vertices = baked.vertices_in(posed, weights=weights)
        shown = draw(baked, vertices, camera, view.height, view.width, renderer.supersample)
        error = float(((own.clip(0, 1) - shown) ** 2).mean())
        values.append(-10 * math.log10(max(error, 1e-12)))
    return values
