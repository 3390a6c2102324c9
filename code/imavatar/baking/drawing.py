"""A baked avatar as a viewer shows it: its texture, unlit, over white."""

import cv2
import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import HEAD_SCALE
from imavatar.baking.baked import BakedAvatar
from imavatar.numerics.rasterize import rasterize
from imavatar.rendering.camera import project, view_depth
from imavatar.types import Camera


def draw(
    avatar: BakedAvatar,
    vertices: Float[np.ndarray, "v 3"],
    camera: Camera,
    height: int,
    width: int,
    supersample: int = 1,
    *,
    cull: bool = False,
) -> Float[np.ndarray, "h w 3"]:
    """An image, sRGB in [0, 1], of the avatar with its vertices at given places (metres).

    Args:
        camera: of one row, in model units.
        supersample: samples along each side of a pixel, which are averaged.
        cull: leave out faces seen from behind, which a closed mesh hides anyway.
    """
    n = supersample
    points = torch.as_tensor(HEAD_SCALE * vertices).to(camera.intrinsics)[None]
    # Samples lie evenly in their pixel, whose middle has integer coordinates.
    pixels = (project(camera, points)[0].double().cpu().numpy() + 0.5) * n - 0.5
    depth = view_depth(camera, points)[0].double().cpu().numpy()
    raster = rasterize(pixels, depth, avatar.faces, (n * height, n * width), cull=cull)
    if avatar.texture is None:
        image = raster.interpolate(avatar.colours, avatar.faces, background=1.0)
    else:
        image = np.ones((n * height, n * width, 3))
        uv = raster.interpolate(avatar.uv, avatar.faces)[raster.covered]
        image[raster.covered] = _look_up(avatar.texture, uv)
    return image if n == 1 else image.reshape(height, n, width, n, 3).mean(axis=(1, 3))


def _look_up(texture: np.ndarray, uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Bilinear samples in [0, 1]; v is up."""
    height, width = texture.shape[:2]
    # OpenCV maps images, not lists, and no side of one may be longer than a short integer.
    rows = -(-len(uv) // width)
    padded = np.zeros((rows * width, 2), dtype=np.float32)
    padded[: len(uv)] = uv * [width, -height] + [-0.5, height - 0.5]
    x, y = (padded[:, k].reshape(rows, width) for k in (0, 1))
    found = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, 3)[: len(uv)] / 255.0
