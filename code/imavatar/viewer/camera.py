"""The browser's camera and the project's: the one looks along its z with y down, the other along -z with y up."""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from imavatar.rendering.camera import cast_rays
from imavatar.types import Camera, View

FLIP = np.diag([1.0, -1.0, -1.0])
NARROWEST, WIDEST = 0.25, 4.0
"""Ratios of width to height that are rendered; windows beyond show less than all."""


def orbit_camera(
    position: Float[np.ndarray, "3"], wxyz: Float[np.ndarray, "4"], fov: float, aspect: float, size: int
) -> tuple[Camera, int, int]:
    """A camera of one row for what a browser shows, its height and width: about `size` x `size` pixels.

    Args:
        position: model units.
        wxyz: the turn from the camera's axes (x right, y down, z forward) to the world's.
        fov: from the lower to the upper edge, radians.
        aspect: width by height.
    """
    aspect = min(max(aspect, NARROWEST), WIDEST)
    height = max(2, round(size / math.sqrt(aspect)))
    width = max(2, round(height * aspect))
    focal = 0.5 * height / math.tan(0.5 * fov)
    world = np.eye(4)
    world[:3, :3] = Rotation.from_quat(wxyz, scalar_first=True).as_matrix() @ FLIP
    world[:3, 3] = position
    intrinsics = torch.tensor([[-focal, focal, 0.5 * (width - 1), 0.5 * (height - 1)]])
    return Camera(intrinsics.float(), torch.tensor(world, dtype=torch.float32)[None]), height, width


def field_of_view(camera: Camera, height: int) -> float:
    """From the lower to the upper edge of a camera's image, radians; the image may lie beside the camera's axis."""
    focal, middle = camera.intrinsics[0, 1].item(), camera.intrinsics[0, 3].item()
    return math.atan((height - 0.5 - middle) / focal) - math.atan((-0.5 - middle) / focal)


def look_towards(view: View, centre: Float[np.ndarray, "3"]) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Where a camera is, and the point nearest to `centre` that it shows in the middle of its image.

    Looking there shows what the camera shows. A browser's camera has its axis in the middle of the window; that of a
    crop may have it at the border, or outside.
    """
    middle = torch.tensor([[0.5 * (view.width - 1), 0.5 * (view.height - 1)]]).to(view.camera.intrinsics)
    ray = cast_rays(view.camera, middle, torch.zeros_like(middle[:, 0], dtype=torch.long))
    place, forward = (values[0].double().cpu().numpy() for values in (ray.origins, ray.directions))
    return place, place + ((centre - place) @ forward) * forward


def rows_of(camera: Camera, first: int) -> Camera:
    """The camera whose image begins at a row of another's."""
    intrinsics = camera.intrinsics.clone()
    intrinsics[:, 3] -= first
    return Camera(intrinsics, camera.world_from_camera)
