"""Ground truth to files and back."""

import cv2
import numpy as np
import pytest

from imavatar.data.ground_truth import DEPTH, EXACT, GroundTruth, read_ground_truth, write_ground_truth
from imavatar.errors import DataError


@pytest.fixture
def truth() -> GroundTruth:
    generator = np.random.default_rng(0)
    normals = generator.normal(size=(8, 9, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    depth = generator.uniform(0.4, 3.0, (8, 9))
    normals[:2], depth[:2] = 0, 0
    return GroundTruth(normals, depth, generator.uniform(size=(8, 9)) > 0.5)


def test_what_is_written_is_read_to_the_steps_of_the_files(truth, tmp_path):
    write_ground_truth(tmp_path, "7", truth)
    again = read_ground_truth(tmp_path, "7")
    np.testing.assert_allclose(again.normals, truth.normals, atol=1e-4)
    np.testing.assert_allclose(again.depth, truth.depth, atol=5.1e-5)
    assert (again.depth[:2] == 0).all() and (again.normals[:2] == 0).all()
    np.testing.assert_array_equal(again.exact, truth.exact)


def test_missing_and_wrong_files_are_named(truth, tmp_path):
    write_ground_truth(tmp_path, "7", truth)
    depth = tmp_path / DEPTH / "7.png"
    cv2.imwrite(str(depth), np.zeros((8, 9), np.uint8))
    with pytest.raises(DataError, match=r"depth/7\.png: is missing or not a 16-bit grey image"):
        read_ground_truth(tmp_path, "7")
    cv2.imwrite(str(depth), np.zeros((4, 9), np.uint16))
    with pytest.raises(DataError, match="frame 7 differs in size"):
        read_ground_truth(tmp_path, "7")
    (tmp_path / EXACT / "7.png").unlink()
    with pytest.raises(DataError, match=r"exact/7\.png"):
        read_ground_truth(tmp_path, "7")
