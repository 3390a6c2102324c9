import numpy as np
import pytest
from tests.oracles_ellipsoid_head import ellipsoid_head, random_embedding

from imavatar.errors import AssetError
from imavatar.head.apertures import LEFT_LIDS, RIGHT_LIDS
from imavatar.head.detector_bias import (
    DetectorBias,
    bias_path,
    load_bias,
    measure_bias,
    measuring_poses,
    points_in_view,
    save_bias,
)
from imavatar.head.landmark_views import vertices_in_view
from imavatar.head.landmarks import N_LANDMARKS

N_VIEWS = 40


@pytest.fixture(scope="module")
def head():
    assets = ellipsoid_head()
    return assets, random_embedding(assets)


def erring_detector(head, bias):
    """Knows the pictures that it will be shown, and sees everything where it is but for a bias and a common offset."""
    assets, embedding = head
    seen = []
    for pose in measuring_poses(assets, embedding, N_VIEWS):
        points = points_in_view(assets, embedding, vertices_in_view(assets, pose))
        offset = pose.pitch * bias.turn[:, 0] + pose.yaw * bias.turn[:, 1] + 0.01
        offset[N_LANDMARKS:] += np.einsum("a,eax->ex", pose.gaze, bias.gaze)
        seen.append(points + np.ptp(points[:N_LANDMARKS, 1]) * offset)
    answers = iter(seen)
    return lambda image: next(answers)


def test_a_known_bias_is_measured(head):
    """The detector sees lids as far open as they are, and errs with all else."""
    generator = np.random.default_rng(0)
    turn = 0.02 * generator.normal(size=(470, 2, 2))
    turn[np.ravel((*RIGHT_LIDS, *LEFT_LIDS))] = 0
    bias = DetectorBias(turn, 0.02 * generator.normal(size=(2, 2, 2)), np.ones(()))
    found = measure_bias(*head, erring_detector(head, bias), n_views=N_VIEWS)
    assert found.turn == pytest.approx(bias.turn, abs=1e-6)
    assert found.gaze == pytest.approx(bias.gaze, abs=1e-6)
    assert found.lids == pytest.approx(1, abs=1e-6)


def test_a_detector_that_sees_no_face_is_an_error(head):
    with pytest.raises(AssetError, match="in 0 of 2 of its renderings"):
        measure_bias(*head, lambda image: None, n_views=2)


def test_what_is_written_is_read(tmp_path):
    generator = np.random.default_rng(1)
    bias = DetectorBias(generator.normal(size=(470, 2, 2)), generator.normal(size=(2, 2, 2)), np.array(0.8))
    path = bias_path(tmp_path / "head.npz")
    save_bias(path, bias)
    found = load_bias(path)
    assert all(np.array_equal(value, vars(found)[name]) for name, value in vars(bias).items())


@pytest.mark.parametrize("name", ["turn", "gaze", "lids"])
@pytest.mark.parametrize("damage", ["missing", "shape", "nan"])
def test_damaged_files_are_refused(tmp_path, name, damage):
    path, content = tmp_path / "bias.npz", dict(vars(DetectorBias.none()))
    if damage == "missing":
        del content[name]
    else:
        content[name] = content[name][None] if damage == "shape" else np.full_like(content[name], np.nan)
    np.savez(path, **content)
    with pytest.raises(AssetError, match=name):
        load_bias(path)
