"""The browser's camera and the project's: the one looks along its z with y down, the other along -z with y up."""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from imavatar.types import Camera

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
    """From the lower to the upper edge of a camera's image, radians."""
    return 2 * math.atan(0.5 * height / abs(float(camera.intrinsics[0, 1])))


def look_towards(
    camera: Camera, centre: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Where a camera is, and the point on its axis that is nearest to `centre`: looking there shows what it shows."""
    world = camera.world_from_camera[0].double().cpu().numpy()
    place, forward = world[:3, 3], -world[:3, 2]
    return place, place + ((centre - place) @ forward) * forward


def rows_of(camera: Camera, first: int) -> Camera:
    """The camera whose image begins at a row of another's."""
    intrinsics = camera.intrinsics.clone()
    intrinsics[:, 3] -= first
    return Camera(intrinsics, camera.world_from_camera)
