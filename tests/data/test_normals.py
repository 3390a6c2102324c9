"""Normals as images."""

import numpy as np
import pytest

from imavatar.data.dataset import FaceDataset
from imavatar.data.ground_truth import NORMALS, read_normals, write_normals
from imavatar.errors import DataError
from oracles_subject import write_subject


def some_normals(size: int = 32) -> np.ndarray:
    normals = np.random.default_rng(0).normal(size=(size, size, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[:5] = 0
    normals[6, 6], normals[6, 7] = [1, 0, 0], [0, 0, -1]
    return normals


def test_normals_come_back_from_a_file(tmp_path):
    normals = some_normals()
    write_normals(tmp_path / "1.png", normals)
    found = read_normals(tmp_path / "1.png")
    np.testing.assert_allclose(found, normals, atol=5e-5)
    assert (found[:5] == 0).all()


def test_a_recording_with_normals_has_them_in_its_frames(tmp_path):
    folder = write_subject(tmp_path) / "sphere" / "sphere" / "train" / NORMALS
    folder.mkdir(parents=True)
    write_normals(folder / "2.png", some_normals())
    dataset = FaceDataset(tmp_path, "sphere", ["train"], (32, 32))
    assert dataset.frame(0).normals is None
    np.testing.assert_allclose(dataset.frame(1).normals.numpy(), some_normals(), atol=5e-5)
    assert FaceDataset(tmp_path, "sphere", ["train"], (16, 16)).frame(1).normals is None


def test_another_image_is_no_file_of_normals(tmp_path):
    path = write_subject(tmp_path) / "sphere" / "sphere" / "train" / "image" / "1.png"
    with pytest.raises(DataError, match=r"1\.png: .*16-bit"):
        read_normals(path)
