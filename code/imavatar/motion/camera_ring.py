"""Cameras that move around a head."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from imavatar.numerics.rotations import axis_angle_to_matrix
from imavatar.types import Camera

WIDEST_YAW, WIDEST_PITCH = 0.6, 0.15
"""Radians by which a ring leaves the camera's own place, sideways and up."""


def ring_of_views(camera: Camera, centre: Float[Tensor, "3"], n_frames: int) -> Camera:
    """A row a frame: once around an ellipse before the head, starting at the camera's own place with its own turn.

    Args:
        camera: one row.
        centre: the point that is looked around, world space.
    """
    angle = 2 * math.pi * torch.arange(n_frames) / n_frames
    # From the camera's own place to one side, up, to the other side, and back.
    turns = torch.stack(
        [-WIDEST_PITCH * (1 - angle.cos()) / 2, WIDEST_YAW * angle.sin(), torch.zeros_like(angle)], dim=1
    )
    rotation = axis_angle_to_matrix(turns.to(centre))
    own = camera.world_from_camera[0].to(centre)
    world = own.expand(n_frames, 4, 4).clone()
    world[:, :3, :3] = rotation @ own[:3, :3]
    world[:, :3, 3] = centre + (rotation @ (own[:3, 3] - centre))
    return Camera(camera.intrinsics.expand(n_frames, -1), world)
