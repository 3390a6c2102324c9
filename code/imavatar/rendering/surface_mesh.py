"""The avatar's surface as a mesh: found once in canonical space, carried to a frame by the deformer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.errors import ImavatarError
from imavatar.numerics.isosurface import extract_isosurface, largest_component
from imavatar.rendering.avatar import Avatar
from imavatar.types import PosedHead

CHUNK = 16384


@dataclass(frozen=True)
class SurfaceMesh:
    """Canonical and deformed vertices of the same faces, model units; colours in [-1, 1] as seen in the frame."""

    canonical: Float[Tensor, "v 3"]
    deformed: Float[Tensor, "v 3"]
    colours: Float[Tensor, "v 3"]
    faces: Int[Tensor, "f 3"]


def extract_mesh(
    sdf: Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]],
    *,
    resolution: int,
    bound: float = 1.2,
    keep_largest: bool = True,
    device: torch.device | str = "cpu",
) -> tuple[Float[Tensor, "v 3"], Int[Tensor, "f 3"]]:
    """Vertices and faces of the zero set in the cube [-bound, bound]^3; a field without one is an error.

    Args:
        resolution: cells along the longest side of the surface.
        keep_largest: leave out all but the connected part with the largest area (floating specks).
    """
    vertices, faces, _ = extract_isosurface(sdf, resolution=resolution, bound=bound, device=device)
    if len(faces) == 0:
        raise ImavatarError(
            f"there is no surface to make a mesh of: the signed distance does not change its sign within {bound} "
            "model units of the origin; the avatar is untrained or its training collapsed, so look at the previews "
            "and losses of the training, and train again or use an earlier checkpoint"
        )
    return largest_component(vertices, faces) if keep_largest else (vertices, faces)


@torch.no_grad()
def avatar_mesh(avatar: Avatar, posed: PosedHead, *, resolution: int) -> SurfaceMesh:
    """The surface of an avatar in canonical space and in the space of one frame (a PosedHead of one row)."""
    canonical, faces = extract_mesh(avatar.field(posed), resolution=resolution, device=posed.bone_transforms.device)
    deform, parts = avatar.for_frame(posed), canonical.split(CHUNK)
    deformed = torch.cat([deform(x_c) for x_c in parts])
    colours = torch.cat([avatar.appearance(x_c, posed).rgb for x_c in parts])
    return SurfaceMesh(canonical, deformed, colours, faces)
