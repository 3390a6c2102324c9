"""The geometry between the two halves of the landmark model, and the cutting of a graph."""

from types import SimpleNamespace

import numpy as np
import pytest

from imavatar.assets import asset_path
from imavatar.errors import AssetError
from imavatar.preprocessing.attention_mesh import (
    AttentionMesh,
    Part,
    _operators_between,
    crop_features,
    crop_matrix,
)

SIZE = 16
CORNERS = np.array([[0.0, 0.0], [SIZE, 0.0], [SIZE, SIZE], [0.0, SIZE]])


def part(scale=(1.5, 1.5), angle=0.0) -> Part:
    return Part(np.arange(4), left=0, right=1, angle=angle, scale=scale, size=(SIZE, SIZE))


def turned_box(turn: float, centre=(20.0, 25.0), width=8.0, height=4.0) -> np.ndarray:
    """Corners of a box, first two along its turned x axis; the third coordinate means nothing."""
    local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.concatenate([local @ rotation.T + centre, np.full((4, 1), 7.0)], axis=1)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:2, :2].T + matrix[:2, 3]


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.2])
def test_the_corners_of_a_crop_are_those_of_the_enlarged_box(turn):
    box = turned_box(turn)
    enlarged = 1.5 * (box[:, :2] - [20, 25]) + [20, 25]
    np.testing.assert_allclose(apply(crop_matrix(part(), box), CORNERS), enlarged, atol=1e-9)


def test_a_wanted_angle_turns_the_crop_back_by_it():
    upright, turned = turned_box(0.0), turned_box(0.3)
    matrix = crop_matrix(part(scale=(1.0, 1.0), angle=0.3), turned)
    np.testing.assert_allclose(matrix[0, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(apply(matrix, CORNERS).mean(axis=0), upright[:, :2].mean(axis=0), atol=1e-9)


def test_features_that_are_linear_are_cropped_exactly():
    row, column = np.mgrid[:48, :48] + 0.5
    features = np.stack([column, row, 2 * column - row], axis=-1).astype(np.float32)
    matrix = crop_matrix(part(), turned_box(0.4))
    crop = crop_features(features, matrix, (SIZE, SIZE))
    v, u = np.mgrid[:SIZE, :SIZE] + 0.5
    where = apply(matrix, np.stack([u, v], axis=-1).reshape(-1, 2)).reshape(SIZE, SIZE, 2)
    # OpenCV interpolates at 32nds of a pixel.
    np.testing.assert_allclose(crop[..., :2], where, atol=1 / 32)
    np.testing.assert_allclose(crop[..., 2], 2 * where[..., 0] - where[..., 1], atol=3 / 32)


def test_only_what_the_outputs_need_is_cut_out():
    links = [([0], [1]), ([1], [2]), ([9], [3]), ([2, 3], [4]), ([4], [5]), ([0], [6])]
    operators = [SimpleNamespace(inputs=i, outputs=o) for i, o in links]
    assert _operators_between(operators, [0], [4]) == [0, 1, 2, 3]
    assert _operators_between(operators, [2], [5]) == [2, 3, 4]
    assert _operators_between(operators, [0], [0]) == []


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(100)])
def test_a_file_that_is_another_is_refused(tmp_path, content):
    path = tmp_path / "face_landmark_with_attention.tflite"
    path.write_bytes(content)
    with pytest.raises(AssetError, match="face_landmark_with_attention"):
        AttentionMesh(path)


def test_a_crop_without_a_face_has_none():
    try:
        path = asset_path("face_landmark_with_attention")
    except AssetError as error:
        pytest.skip(str(error))
    mesh = AttentionMesh(path)
    size = mesh.input_size
    points, logit = mesh(np.full((size, size, 3), 0.5, dtype=np.float32))
    assert points.shape == (468, 2)
    assert logit < 0
