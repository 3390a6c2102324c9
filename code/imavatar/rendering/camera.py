"""Pinhole cameras: pixels to rays and points to pixels (docs/data_format.md, section 4)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.numerics.linalg import matvec, transform_points
from imavatar.types import Camera, RayBundle


def cast_rays(camera: Camera, pixels: Float[Tensor, "n 2"], frame: Int[Tensor, " n"]) -> RayBundle:
    """Unit rays in world space through pixels (u right, v down, integer coordinates).

    A pixel lifts to ((u - cx) / fx z, (v - cy) / fy z, z) with z = -1; the negative fx of the files
    undoes the sign in x. `frame` says which camera, and which row of the PosedHead, a pixel has.
    """
    fx, fy, cx, cy = camera.intrinsics[frame].unbind(dim=-1)
    z = -torch.ones_like(fx)
    u, v = pixels.unbind(dim=-1)
    lifted = torch.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], dim=-1)
    world = camera.world_from_camera[frame]
    directions = F.normalize(matvec(world[:, :3, :3], lifted), dim=-1)
    return RayBundle(origins=world[:, :3, 3], directions=directions, frame=frame)


def project(camera: Camera, points: Float[Tensor, "b v 3"]) -> Float[Tensor, "b v 2"]:
    """Pixel coordinates of world points, each row by its own camera."""
    local = _in_camera(camera, points)
    fx, fy, cx, cy = (value[:, None] for value in camera.intrinsics.unbind(dim=-1))
    x, y, z = local.unbind(dim=-1)
    return torch.stack([cx + fx * x / z, cy + fy * y / z], dim=-1)


def view_depth(camera: Camera, points: Float[Tensor, "b v 3"]) -> Float[Tensor, "b v"]:
    """Distance of world points before the camera, along its axis; negative behind it."""
    return -_in_camera(camera, points)[..., 2]


def to_view_depth(depth: Float[Tensor, "h w"], camera: Camera) -> Float[Tensor, "h w"]:
    """Depths along the rays of an image's pixels as distances along the axis of its camera (a record of one row)."""
    height, width = depth.shape
    fx, fy, cx, cy = camera.intrinsics[0].to(depth)
    u, v = pixel_grid(height, width, depth.device).to(depth).view(height, width, 2).unbind(dim=-1)
    return depth / (1 + ((u - cx) / fx).square() + ((v - cy) / fy).square()).sqrt()


def _in_camera(camera: Camera, points: Float[Tensor, "b v 3"]) -> Float[Tensor, "b v 3"]:
    camera_from_world = torch.linalg.inv(camera.world_from_camera)
    return transform_points(camera_from_world[:, None].expand(-1, points.shape[1], -1, -1), points)


def pixel_grid(height: int, width: int, device: torch.device | None = None) -> Float[Tensor, "n 2"]:
    """All pixels of an image, row by row, as (u, v)."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    return torch.cartesian_prod(rows, columns).flip(-1).float()
