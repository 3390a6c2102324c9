"""Looks, glasses and the pixels that strands cover."""

import numpy as np
import pytest
import trimesh
from scipy.interpolate import BSpline

from imavatar.anatomy import HEAD_SCALE
from imavatar.synthetic.appearance import KINDS, Hair, random_appearance
from imavatar.synthetic.eyes import IN_FRONT, RIM, TUBE, glasses_mesh
from imavatar.synthetic.studio import bspline_points, strand_cover
from imavatar.synthetic.studio_camera import StudioCamera
from imavatar.synthetic.surfaces import Curves

EYES = np.array([[0.031, 0.03, 0.05], [-0.031, 0.03, 0.05]])


def test_the_first_subjects_are_one_of_each_kind_and_seeds_decide():
    looks = [random_appearance(k, 0.5, np.random.default_rng([3, k])) for k in range(12)]
    assert {look.hair for look in looks[: len(KINDS)]} == set(Hair)
    assert looks[3].glasses and looks[4].beard and looks[2].n_strands == 0
    again = [random_appearance(k, 0.5, np.random.default_rng([3, k])) for k in range(12)]
    assert looks == again
    assert len({look.palette for look in looks}) == 12
    for look in looks:
        assert all(0 < value < 1 for colour in vars(look.palette).values() for value in colour)


def test_old_hair_is_grey():
    def saturation(years):
        hair = np.array(random_appearance(0, years, np.random.default_rng(5)).palette.hair)
        return (hair.max() - hair.min()) / hair.max()

    assert saturation(1.0) < 0.1 < saturation(0.5)


def test_glasses_are_before_the_eyes_reach_the_ears_and_are_closed_tubes_but_for_their_ends():
    vertices, faces = glasses_mesh(EYES, half_width=0.075)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_winding_consistent
    parts = mesh.split(only_watertight=False)
    rims = [part for part in parts if part.is_watertight]
    assert len(parts) == 5 and len(rims) == 2
    for rim, eye in zip(sorted(rims, key=lambda part: -part.centroid[0]), EYES, strict=True):
        np.testing.assert_allclose(rim.bounds.mean(axis=0), eye + [0, 0, IN_FRONT], atol=1e-4)
        np.testing.assert_allclose(
            np.ptp(rim.vertices, axis=0), [2 * (RIM[0] + TUBE), 2 * (RIM[1] + TUBE), 2 * TUBE], rtol=0.05
        )
        assert rim.volume > 0
    assert vertices[:, 2].min() < -0.03
    assert 0.075 < np.abs(vertices[:, 0]).max() < 0.085


def test_spline_points_are_those_of_a_uniform_cubic_spline():
    control = np.random.default_rng(0).normal(size=(4, 7, 3))
    found = bspline_points(control, 5)
    spline = BSpline(np.arange(11) - 3.0, np.moveaxis(control, 1, 0), 3)
    expected = np.moveaxis(spline(np.linspace(0, 4, 21)), 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("distance", "seen"), [(1.0, True), (1.5, False)])
def test_strands_cover_pixels_where_they_are_before_the_surface(distance, seen):
    camera = StudioCamera(64, centre=(0.0, 0.0, 0.0))
    line = np.linspace([-0.1, 0.02, 0.0], [0.1, 0.02, 0.0], 6)[None] * HEAD_SCALE
    depth = np.full((64, 64), HEAD_SCALE * camera.distance * 1.2)
    line[..., 2] = -HEAD_SCALE * camera.distance * (distance - 1)
    cover = strand_cover([Curves("strand", line, 0.001, (0, 0, 0))], camera, depth)
    assert cover.any() == seen
    if seen:
        row = np.unique(np.nonzero(cover)[0])
        pixels, _ = camera.project(line[0])
        assert row.tolist() == [round(float(pixels[0, 1]))]
        # Three of the five stretches between control points, 8 pixels each.
        assert 23 <= cover.sum() <= 26
