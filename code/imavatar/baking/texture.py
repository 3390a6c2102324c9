"""Unwrapping a baked mesh and painting its texture with the avatar's colours."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt

from imavatar.baking.baked import BakedAvatar
from imavatar.errors import ImavatarError
from imavatar.numerics.rasterize import rasterize

PADDING = 4
"""Pixels between the pieces of the texture, which take the colours nearest to them."""

Paint = Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n 3"]]
"""Canonical points on the surface (model units) to colours in [0, 1]."""


@dataclass(frozen=True)
class Unwrapped:
    """Vertices anew, of which `source` says which of the mesh's they are, with their places `uv` in [0, 1]."""

    source: Int[np.ndarray, " n"]
    faces: Int[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "n 2"]


def unwrap(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], size: int) -> Unwrapped:
    """Cut the mesh into flat pieces and pack them into a square of `size` pixels.

    Raises:
        ImavatarError: the library that does it is not installed.
    """
    try:
        import xatlas
    except ImportError as error:
        raise ImavatarError("a texture needs xatlas: install the extra `export`") from error
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices.astype(np.float32), faces.astype(np.uint32))
    pack = xatlas.PackOptions()
    pack.resolution, pack.padding = size, PADDING
    pack.bilinear = True
    atlas.generate(pack_options=pack)
    source, new_faces, uv = atlas[0]
    return Unwrapped(source.astype(np.int64), new_faces.astype(np.int64), uv.astype(np.float64))


def with_texture(avatar: BakedAvatar, unwrapped: Unwrapped, paint: Paint, size: int) -> BakedAvatar:
    """The avatar cut along the texture's seams, with a texture of `size` x `size` pixels."""
    points, covered = texel_points(avatar.canonical[unwrapped.source], unwrapped, size)
    colours = np.zeros((size, size, 3))
    colours[covered] = paint(points)
    texture = np.rint(255 * _spread(colours, covered)).clip(0, 255).astype(np.uint8)
    names, source = ("canonical", "vertices", "normals", "weights", "colours"), unwrapped.source
    taken = {name: getattr(avatar, name)[source] for name in names}
    taken |= {name: getattr(avatar, name)[:, source] for name in ("expression", "correctives")}
    return replace(avatar, **taken, faces=unwrapped.faces, uv=unwrapped.uv, texture=texture)


def texel_points(
    vertices: Float[np.ndarray, "n 3"], unwrapped: Unwrapped, size: int
) -> tuple[Float[np.ndarray, "m 3"], Bool[np.ndarray, "h w"]]:
    """Where on the mesh the middles of the texture's pixels are, and which pixels are on it at all."""
    pixels = np.stack([unwrapped.uv[:, 0], 1 - unwrapped.uv[:, 1]], axis=1) * size - 0.5
    raster = rasterize(pixels, np.ones(len(pixels)), unwrapped.faces, (size, size), perspective=False)
    covered = raster.covered
    corners = vertices[unwrapped.faces[raster.face[covered]]]
    return np.einsum("pk,pkc->pc", raster.barycentric[covered], corners), covered


def _spread(colours: Float[np.ndarray, "h w 3"], covered: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Every pixel without a colour takes the nearest one's, so that no seam shows when textures are shrunk."""
    if covered.all() or not covered.any():
        return colours
    row, column = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return colours[row, column]
