"""Pinhole cameras: casting and projecting are inverse, and the camera looks along -z."""

import torch

from imavatar.numerics.linalg import rigid_transform
from imavatar.rendering.camera import cast_rays, pixel_grid, project, to_view_depth, view_depth
from imavatar.types import Camera
from oracles_fields import normal, points, rotation

INTRINSICS = torch.tensor([[-200.0, 210.0, 31.5, 33.0]], dtype=torch.float64)


def camera(turn=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 3.0)):
    pose = rigid_transform(rotation(*turn), torch.tensor(shift, dtype=torch.float64))
    return Camera(INTRINSICS, pose[None])


def one_frame(n):
    return torch.zeros(n, dtype=torch.long)


def test_the_principal_pixel_looks_along_minus_z():
    rays = cast_rays(camera(), INTRINSICS[:, 2:], one_frame(1))
    torch.testing.assert_close(rays.directions, torch.tensor([[0.0, 0.0, -1.0]], dtype=torch.float64))
    torch.testing.assert_close(rays.origins, torch.tensor([[0.0, 0.0, 3.0]], dtype=torch.float64))


def test_pixels_to_the_right_look_right_and_lower_ones_down():
    right, down = cast_rays(camera(), INTRINSICS[:, 2:] + 20 * torch.eye(2), one_frame(2)).directions
    assert right[0] > 0
    assert right[1] == 0
    assert down[1] < 0
    assert down[0] == 0


def test_projecting_points_on_cast_rays_returns_their_pixels():
    turned = camera((0.3, -0.4, 0.2), (0.5, -0.2, 3.0))
    pixels = 32 + 20 * normal(40, 2, seed=0)
    rays = cast_rays(turned, pixels, one_frame(40))
    depth = 1 + normal(40, seed=1).abs()
    torch.testing.assert_close(project(turned, rays.at(depth)[None])[0], pixels)


def test_casting_through_projected_points_meets_them():
    turned = camera((0.3, -0.4, 0.2), (0.5, -0.2, 3.0))
    x = points(20)
    rays = cast_rays(turned, project(turned, x[None])[0], one_frame(20))
    depth = ((x - rays.origins) * rays.directions).sum(dim=-1)
    torch.testing.assert_close(rays.at(depth), x)
    assert (depth > 0).all()


def test_each_ray_belongs_to_the_camera_of_its_frame():
    first, second = camera(), camera((0.0, 0.5, 0.0), (1.0, 0.0, 2.0))
    both = Camera(INTRINSICS.repeat(2, 1), torch.cat([first.world_from_camera, second.world_from_camera]))
    pixels, frame = 32 + 20 * normal(6, 2, seed=0), torch.tensor([0, 1, 1, 0, 1, 0])
    rays = cast_rays(both, pixels, frame)
    for index, single in enumerate((first, second)):
        expected = cast_rays(single, pixels[frame == index], one_frame(3))
        torch.testing.assert_close(rays.directions[frame == index], expected.directions)
        torch.testing.assert_close(rays.origins[frame == index], expected.origins)
    assert torch.equal(rays.frame, frame)


def test_directions_are_unit_vectors():
    directions = cast_rays(camera((0.1, 0.2, 0.3)), 60 * normal(30, 2, seed=0), one_frame(30)).directions
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(30, dtype=torch.float64))


def test_pixels_are_listed_row_by_row_as_u_v():
    assert pixel_grid(2, 3).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]


def test_depths_along_rays_become_those_along_the_axis():
    turned = camera((0.3, -0.4, 0.2), (0.5, -0.2, 3.0))
    rays = cast_rays(turned, pixel_grid(6, 8).double(), one_frame(48))
    depth = 1 + normal(48, seed=1).abs()
    expected = view_depth(turned, rays.at(depth)[None])[0].view(6, 8)
    torch.testing.assert_close(to_view_depth(depth.view(6, 8), turned), expected)
