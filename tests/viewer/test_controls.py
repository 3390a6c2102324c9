"""What sliders do to a head, and what browsers' cameras see."""

import math

import numpy as np
import pytest
import torch

from imavatar.anatomy import Joint, pose_slice
from imavatar.rendering.camera import cast_rays, project
from imavatar.types import Camera, HeadParameters, View
from imavatar.viewer.camera import field_of_view, look_towards, orbit_camera, rows_of
from imavatar.viewer.controls import controls_of, head_of

NAMED = {"smile": np.linspace(0, 1, 50).astype(np.float32)}
UNITS = {"mouthSmileLeft": np.ones(50, np.float32)}


def head(n=50) -> HeadParameters:
    return HeadParameters(torch.full((1, n), 0.5), torch.full((1, 15), 0.1))


def moved(values: dict[str, float], n=50) -> HeadParameters:
    controls = controls_of(n, NAMED, UNITS)
    assert values.keys() <= {control.label for control in controls}
    return head_of(controls, [values.get(control.label, 0.0) for control in controls], head(n))


def test_expressions_add_up_to_what_the_motion_has():
    found = moved({"smile": 0.5, "mouthSmileLeft": 1.0, "expression_03": -2.0})
    expected = 0.5 + 0.5 * torch.linspace(0, 1, 50) + 1.0
    expected[3] -= 2.0
    torch.testing.assert_close(found.expression[0], expected)
    torch.testing.assert_close(found.pose, head().pose)


def test_joints_turn_as_the_sliders_say():
    found = moved({"jaw open": 0.3, "neck down / up": 0.2, "eyes turn": 0.4}).pose - 0.1
    expected = torch.zeros(1, 15)
    expected[0, pose_slice(Joint.JAW).start] = 0.3
    # Up is a turn about x to the subject's left, by the right hand, of negative angle.
    expected[0, pose_slice(Joint.NECK).start] = -0.2
    for eye in (Joint.LEFT_EYE, Joint.RIGHT_EYE):
        expected[0, pose_slice(eye).start + 1] = 0.4
    torch.testing.assert_close(found, expected)


def test_an_avatar_with_fewer_coefficients_and_a_slider_that_is_empty():
    found = moved({"smile": 1.0, "jaw open": math.nan}, n=4)
    torch.testing.assert_close(found.expression[0], 0.5 + torch.linspace(0, 1, 50)[:4])
    torch.testing.assert_close(found.pose, head().pose)
    assert sum(control.folder == "coefficients" for control in controls_of(4, {}, {})) == 4


def test_the_browsers_camera_sees_its_target_in_the_middle_and_up_above():
    # At (0, 0, 5), looking along -z: the browser's axes are turned by half a circle about x.
    place, turn = np.array([0.0, 0.0, 5.0]), np.array([0.0, 1.0, 0.0, 0.0])
    camera, height, width = orbit_camera(place, turn, math.pi / 3, 1.5, 300)
    assert height * width == pytest.approx(300**2, rel=0.02) and width / height == pytest.approx(1.5, rel=0.01)
    points = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 5 * math.tan(math.pi / 6), 0.0], [1.0, 0.0, 0.0]]])
    middle, top, right = project(camera, points)[0]
    torch.testing.assert_close(middle, torch.tensor([(width - 1) / 2, (height - 1) / 2]))
    assert float(top[1]) == pytest.approx(-0.5, abs=1e-3) and float(top[0]) == pytest.approx((width - 1) / 2, abs=1e-3)
    assert right[0] > middle[0]
    assert field_of_view(camera, height) == pytest.approx(math.pi / 3)


def test_windows_of_any_shape_give_images():
    for aspect in (0.001, 0.5, 3.0, 1000.0):
        _, height, width = orbit_camera(np.array([0.0, 0.0, 5.0]), np.array([1.0, 0.0, 0.0, 0.0]), 1.0, aspect, 64)
        assert min(height, width) >= 2 and max(height, width) <= 2 * 64 + 1


def test_a_band_of_rows_has_the_rays_of_the_image():
    camera, *_ = orbit_camera(np.array([1.0, 2.0, 5.0]), np.array([0.1, 0.9, 0.3, -0.2]), 0.8, 1.0, 40)
    pixels, frame = torch.tensor([[3.0, 25.0]]), torch.zeros(1, dtype=torch.long)
    whole = cast_rays(camera, pixels, frame)
    part = cast_rays(rows_of(camera, 20), pixels - torch.tensor([0.0, 20.0]), frame)
    torch.testing.assert_close(part.directions, whole.directions)
    torch.testing.assert_close(part.origins, whole.origins)


def test_looking_at_the_nearest_point_of_the_axis_keeps_the_view():
    world = torch.eye(4)[None].clone()
    world[0, :3, 3] = torch.tensor([0.2, 0.3, 4.0])
    view = View(Camera(torch.tensor([[-9.0, 9.0, 4.0, 4.0]]), world), 9, 9)
    place, target = look_towards(view, np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(place, [0.2, 0.3, 4.0], rtol=1e-6)
    np.testing.assert_allclose(target, [0.2, 0.3, 1.0], rtol=1e-6)


def test_a_crop_beside_the_axis_is_looked_at_in_its_middle():
    """Principal point below and left of a picture of 30 x 40 pixels."""
    camera = Camera(torch.tensor([[-60.0, 60.0, -21.0, 60.0]]), torch.eye(4)[None])
    place, target = look_towards(View(camera, 40, 30), np.array([0.0, 0.0, -2.0]))
    middle, top, bottom = (np.array([14.5, v]) for v in (19.5, -0.5, 39.5))
    np.testing.assert_allclose(place, 0, atol=1e-6)
    np.testing.assert_allclose(project(camera, torch.tensor(target).float()[None, None])[0, 0], middle, atol=1e-3)
    edges = [math.atan2(60.0 - v, 60.0) for _, v in (top, bottom)]
    assert field_of_view(camera, 40) == pytest.approx(edges[0] - edges[1])
