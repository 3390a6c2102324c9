"""How far what a viewer shows of a baked avatar is from the avatar itself."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.anatomy import HEAD_SCALE, MM_PER_UNIT
from imavatar.baking.baked import BakedAvatar, frame_transforms, with_strongest
from imavatar.baking.clean_mesh import relevant_parts
from imavatar.baking.drawing import draw
from imavatar.baking.shown import Shown, without_hidden
from imavatar.head.flame import Flame
from imavatar.numerics.isosurface import extract_isosurface
from imavatar.rendering.avatar import Avatar
from imavatar.rendering.image import ImageRenderer
from imavatar.rendering.mesh_queries import distance_to_mesh
from imavatar.types import Camera, HeadParameters, PosedHead

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
    avatar: Avatar,
    flame: Flame,
    heads: HeadParameters,
    latent: Tensor,
    bound: float,
    resolution: int = REFERENCE_RESOLUTION,
    shown: Shown | None = None,
) -> SurfaceFidelity:
    """Over frames: vertices and middles of faces to the implicit surface, and that surface's points to the mesh.

    Specks of the surface, which a mesh leaves out, do not count. The mesh is posed by the formula of glTF with the
    weights that a file holds.

    Args:
        latent: the code of unseen frames, one row.
        bound: half the side of the cube that the surface lies in, model units.
        resolution: cells of the mesh that stands for the implicit surface, along its longest side.
        shown: what the mesh was made of; the rest of the surface does not count.
    """
    weights = with_strongest(baked.weights)
    device = flame.v_template.device
    first = flame(heads[:1].to(device), latent)
    vertices, faces, _ = extract_isosurface(avatar.field(first), resolution=resolution, bound=bound, device=device)
    vertices, kept = without_hidden(vertices, faces.cpu().numpy(), shown)
    parts = relevant_parts(vertices.double().cpu().numpy(), kept)
    canonical, faces = torch.as_tensor(parts[0]).to(vertices), torch.as_tensor(parts[1], device=device)
    distances = []
    for k in range(len(heads)):
        posed = flame(heads[k : k + 1].to(device), latent)
        bound_deformer = avatar.bind(posed)
        reference = torch.cat([bound_deformer(part) for part in canonical.split(CHUNK)])
        vertices = torch.as_tensor(HEAD_SCALE * pose_as_gltf(baked, posed, weights)).to(reference)
        own_faces = torch.as_tensor(baked.faces, device=device)
        middles = vertices[own_faces].mean(dim=1)
        distances.append(distance_to_mesh(reference, faces, torch.cat([vertices, middles])))
        distances.append(distance_to_mesh(vertices, own_faces, reference))
    found = MM_PER_UNIT * torch.cat(distances).double()
    return SurfaceFidelity(
        len(heads), float(found.mean()), float(np.quantile(found.cpu().numpy(), 0.99)), float(found.max())
    )


def pose_as_gltf(baked: BakedAvatar, posed: PosedHead, weights: Float[np.ndarray, "v j"]) -> Float[np.ndarray, "v 3"]:
    """Vertices (metres) of a frame of one row; expressions that were not baked are left out."""
    expression, feature = (values[0].double().cpu().numpy() for values in (posed.expression, posed.pose_feature))
    return baked.posed(expression[: len(baked.expression)], feature, frame_transforms(posed, 0), weights)


@torch.no_grad()
def image_fidelity(
    baked: BakedAvatar,
    renderer: ImageRenderer,
    flame: Flame,
    heads: HeadParameters,
    camera: Camera,
    latent: Tensor,
    *,
    height: int,
    width: int,
) -> list[float]:
    """PSNR in dB of each frame between the avatar's own rendering and the mesh's, colours unlit.

    Args:
        camera: a row a frame.
    """
    weights, device = with_strongest(baked.weights), flame.v_template.device
    values = []
    for k in range(len(heads)):
        posed = flame(heads[k : k + 1].to(device), latent)
        own_camera = camera[k : k + 1].to(device)
        own = (renderer.render(own_camera, posed, height, width).rgb.double().cpu().numpy() + 1) / 2
        vertices = pose_as_gltf(baked, posed, weights)
        shown = draw(baked, vertices, own_camera, height, width, renderer.supersample)
        error = float(((own.clip(0, 1) - shown) ** 2).mean())
        values.append(-10 * math.log10(max(error, 1e-12)))
    return values
