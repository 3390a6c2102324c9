"""Intrinsics come back as they were written, wherever a crop lies; files of the authors' are read as they mean them."""

import json

import numpy as np
import pytest

from imavatar.data.images import read_grey
from imavatar.data.intrinsics import parse_intrinsics
from imavatar.data.subject import load_recording
from imavatar.data.subject_writer import write_recording
from imavatar.errors import DataError
from oracles_subject import camera_centre, frame_entry, render, write_subject


def crops(n: int, seed: int) -> np.ndarray:
    """Intrinsics [n, 4] in image sizes of random crops of random videos."""
    rng = np.random.default_rng(seed)
    size = np.stack([rng.uniform(300, 4000, n), rng.uniform(300, 4000, n)], axis=1)
    crop = size * rng.uniform(0.12, 1, (n, 2))
    corner = rng.uniform(0, 1, (n, 2)) * (size - crop)
    focal = size.max(axis=1, keepdims=True) * rng.uniform(0.4, 3, (n, 1)) / crop
    focal[:, 0] *= -1
    return np.concatenate([focal, (size / 2 - corner) / crop], axis=1)


def test_intrinsics_of_any_crop_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "flame_params.json"
    written = crops(200, 0)
    assert (written[:, 3] > 1).any() and (written[:, 3] < 0).any() and written[:, 3].max() > 2
    for intrinsics in (*written, np.array([-2.5, 2.5, 0.5, 3.0]), np.array([-2.5, 2.5, 0.5, -2.0])):
        write_recording(path, [frame_entry(1, camera_centre(1))], intrinsics, np.zeros(100))
        assert load_recording(tmp_path).intrinsics.tolist() == intrinsics.tolist()


def test_those_of_a_file_that_does_not_say_its_unit_are_told_by_all_four_numbers(tmp_path):
    usual = crops(500, 1)
    for intrinsics in usual[np.abs(usual).max(axis=1) < 40]:
        assert parse_intrinsics({"intrinsics": intrinsics.tolist()}, tmp_path).tolist() == intrinsics.tolist()
    rng = np.random.default_rng(2)
    for _ in range(200):
        focal, centre = rng.uniform(150, 6000), rng.uniform(2, 510, 2)
        found = parse_intrinsics({"intrinsics": [-focal, focal, *centre]}, tmp_path)
        np.testing.assert_allclose(found, np.array([-focal, focal, *centre]) / 512)
    # A focal length is as long as it is: the authors' rule, by which the fourth number decides, still holds here.
    assert parse_intrinsics({"intrinsics": [-50.0, 50.0, 0.5, 0.5]}, tmp_path).tolist() == [-50.0, 50.0, 0.5, 0.5]


def test_what_is_marked_is_not_guessed(tmp_path):
    numbers = [-60.0, 60.0, 0.5, 1.5]
    assert parse_intrinsics({"intrinsics": numbers}, tmp_path)[0] == -60 / 512
    assert parse_intrinsics({"intrinsics": numbers, "intrinsics_unit": "image_sizes"}, tmp_path).tolist() == numbers


@pytest.mark.parametrize("unit", ["pixels", 512, ["image_sizes"], {}])
def test_an_unknown_unit_is_refused(tmp_path, unit):
    tree = {"intrinsics": [-2.0, 2.0, 0.5, 0.5], "intrinsics_unit": unit}
    with pytest.raises(DataError, match=r"a\.json: intrinsics_unit is .*, expected 'image_sizes'"):
        parse_intrinsics(tree, tmp_path / "a.json")


def test_a_rendered_crop_below_whose_picture_the_axis_is_shows_the_sphere(tmp_path):
    """The oracle's own check: the sphere is in the middle of what the other tests of such crops use."""
    intrinsics = (-2.2, 2.9, 0.4, 1.8)
    data = write_subject(tmp_path, size=(64, 48), n_frames=1, sub_dirs=("train",), intrinsics=intrinsics)
    mask = read_grey(data / "sphere/sphere/train/mask/1.png", "mask")
    assert (mask == render(camera_centre(1, intrinsics), 64, 48, intrinsics)[1]).all()
    v, u = np.nonzero(mask)
    assert abs(v.mean() / 64 - 0.5) < 0.15 and abs(u.mean() / 48 - 0.5) < 0.15 and 0.2 < mask.mean() / 255 < 0.7
    tree = json.loads((data / "sphere/sphere/train/flame_params.json").read_text())
    assert np.abs(tree["frames"][0]["flame_keypoints"]).max() < 1
