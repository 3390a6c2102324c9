import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from imavatar.head.detector_bias import N_POINTS, DetectorBias
from imavatar.head.landmarks import N_LANDMARKS
from imavatar.preprocessing.misplacement import Misplacement, turned_from_sight

AHEAD = torch.tensor([[0.0, 0.0, -4.0]])


def rotation(pitch, yaw, roll):
    """Roll after yaw after pitch."""
    return torch.tensor(Rotation.from_euler("xyz", [pitch, yaw, roll]).as_matrix(), dtype=torch.float32)[None]


@pytest.mark.parametrize("angles", [(0.2, 0.0, 0.0), (0.0, -0.4, 0.0), (0.1, 0.3, -0.5), (-0.25, -0.3, 0.7)])
def test_the_angles_of_a_head_are_found(angles):
    found = turned_from_sight(rotation(*angles), AHEAD)
    assert torch.cat(found).tolist() == pytest.approx(angles, abs=1e-6)


@pytest.mark.parametrize("roll", [0.0, 0.6])
def test_a_head_at_the_edge_that_faces_the_camera_is_not_turned(roll):
    position = torch.tensor([[0.9, -0.5, -2.0]])
    x, y, z = (-position[0]).tolist()
    yaw, pitch = np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))
    facing = Rotation.from_euler("xy", [pitch, yaw]).as_matrix()
    turned = torch.tensor(Rotation.from_euler("z", roll).as_matrix() @ facing, dtype=torch.float32)[None]
    around = torch.tensor(Rotation.from_euler("z", roll).as_matrix(), dtype=torch.float32)
    found = turned_from_sight(turned, position @ around.T)
    assert [float(f) for f in found[:2]] == pytest.approx([0.0, 0.0], abs=1e-6)


def a_bias(generator):
    return DetectorBias(generator.normal(size=(N_POINTS, 2, 2)), generator.normal(size=(2, 2, 2)), np.ones(()))


def test_offsets_are_those_of_pitch_yaw_and_gaze():
    bias = a_bias(np.random.default_rng(0))
    gaze = torch.tensor([[[0.1, -0.2], [0.05, 0.3]]])
    offset = Misplacement(bias, torch.zeros(1))(rotation(0.2, -0.3, 0.0), AHEAD, gaze)[0].numpy()
    expected = 0.2 * bias.turn[:, 0] - 0.3 * bias.turn[:, 1]
    expected[N_LANDMARKS] += 0.1 * bias.gaze[0, 0] - 0.2 * bias.gaze[0, 1]
    expected[N_LANDMARKS + 1] += 0.05 * bias.gaze[1, 0] + 0.3 * bias.gaze[1, 1]
    assert offset == pytest.approx(expected, abs=1e-5)


def test_offsets_turn_with_the_image():
    """A head and its picture, turned by a quarter: what was to the right is now up, rows counted downwards."""
    bias, still = a_bias(np.random.default_rng(1)), torch.zeros(1, 2, 2)
    add = Misplacement(bias, torch.zeros(1))
    upright = add(rotation(0.2, 0.1, 0.0), AHEAD, still)
    turned = add(rotation(0.2, 0.1, np.pi / 2), AHEAD, still)
    assert torch.allclose(turned[..., 0], upright[..., 1], atol=1e-5)
    assert torch.allclose(turned[..., 1], -upright[..., 0], atol=1e-5)


def test_a_detector_without_bias_adds_nothing():
    offset = Misplacement(DetectorBias.none(), torch.zeros(1))(rotation(0.3, 0.3, 0.3), AHEAD, torch.ones(1, 2, 2))
    assert not offset.any()
