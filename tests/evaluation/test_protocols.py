"""The face's interior: the hull of the landmarks in pixels."""

import math

import torch

from imavatar.evaluation.face_interior import face_interior


def circle(radius: float, centre: tuple[float, float], n: int = 68):
    angle = torch.arange(n) * 2 * math.pi / n
    return torch.stack([centre[0] + radius * angle.cos(), centre[1] + radius * angle.sin()], dim=1)


def test_landmarks_on_a_circle_have_its_disc_as_interior():
    mask = face_interior(circle(20, (40, 30)), 64, 96)
    y, x = torch.meshgrid(torch.arange(64), torch.arange(96), indexing="ij")
    distance = torch.hypot(x - 40.0, y - 30.0)
    assert mask.shape == (64, 96)
    assert mask[distance < 19].all()
    assert not mask[distance > 21].any()


def test_landmarks_inside_the_hull_and_points_beyond_the_landmarks_change_nothing():
    outline = circle(20, (40, 30))
    inner = outline.clone()
    inner[1::2] = circle(5, (40, 30), n=34)
    mask = face_interior(torch.cat([inner, torch.tensor([[90.0, 60.0]])]), 64, 96)
    assert (mask == face_interior(outline[::2], 64, 96)).all()


def test_landmarks_beyond_the_image_are_cut_off_at_its_border():
    mask = face_interior(circle(20, (0, 0)), 64, 96)
    assert mask[0, 0] and mask[0, 18] and not mask[0, 22]
    assert not mask[30:].any()
