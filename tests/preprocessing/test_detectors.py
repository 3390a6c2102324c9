"""The optional landmark network: by a stand-in for its package, which the package itself is compared with."""

import inspect
import sys
import types
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from imavatar.errors import AssetError
from imavatar.head.detector_bias import DetectorBias, bias_path
from imavatar.head.mesh_points import IBUG_FROM_MESH
from imavatar.preprocessing import detectors
from imavatar.preprocessing.detectors import WEIGHT_FILES, FaceAlignmentLandmarker
from imavatar.preprocessing.landmarks import FaceLandmarks
from oracles_ellipsoid_head import ellipsoid_head, random_embedding


class Mesh:
    def __init__(self):
        self.points = np.arange(468 * 2, dtype=float).reshape(468, 2)

    def detect(self, rgb, near=None):
        return FaceLandmarks(self.points, np.zeros((2, 5, 2)), 1.0)

    def reset(self):
        pass


def package(network) -> types.ModuleType:
    module = types.ModuleType("face_alignment")
    module.LandmarksType = types.SimpleNamespace(TWO_D=2)
    module.FaceAlignment = network
    return module


@pytest.fixture(autouse=True)
def mesh(monkeypatch):
    monkeypatch.setattr(detectors, "FaceLandmarker", Mesh)


def test_the_inner_points_are_the_networks_and_the_others_the_meshs(monkeypatch):
    found = 1000.0 + np.arange(68 * 2).reshape(68, 2)

    class Network:
        def __init__(self, kind, device):
            self.kind = kind

        def get_landmarks_from_image(self, rgb, detected_faces):
            return [found]

    monkeypatch.setitem(sys.modules, "face_alignment", package(Network))
    points = FaceAlignmentLandmarker().detect(np.zeros((8, 8, 3), np.uint8)).points
    inner = list(IBUG_FROM_MESH[17:])
    np.testing.assert_array_equal(points[inner], found[17:])
    others = np.setdiff1d(np.arange(468), inner)
    np.testing.assert_array_equal(points[others], Mesh().points[others])


def test_a_missing_package_is_told_how_to_get(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(AssetError, match=r"pip install -e \.\[face-alignment\]"):
        FaceAlignmentLandmarker()


def test_offline_says_which_files_go_where(monkeypatch):
    def offline(*_, **__):
        raise URLError("no network")

    monkeypatch.setitem(sys.modules, "face_alignment", package(offline))
    with pytest.raises(AssetError, match=r"no network.*2DFAN4.*s3fd.*checkpoints"):
        FaceAlignmentLandmarker()


def test_the_package_has_what_is_used_of_it():
    real = pytest.importorskip("face_alignment", reason="needs the extra `face-alignment`")
    assert hasattr(real.LandmarksType, "TWO_D")
    assert {"landmarks_type", "device"} <= inspect.signature(real.FaceAlignment).parameters.keys()
    called = inspect.signature(real.FaceAlignment.get_landmarks_from_image).parameters
    assert {"image_or_path", "detected_faces"} <= called.keys()
    source = "".join(path.read_text() for path in Path(real.__file__).parent.rglob("*.py"))
    assert all(name in source for name in WEIGHT_FILES)


def test_a_heads_landmarks_are_measured_once_and_kept_beside_it(tmp_path, monkeypatch):
    assets, asked = ellipsoid_head(), []
    embedding = random_embedding(assets)
    monkeypatch.setattr(detectors, "landmarker", lambda backend: None)
    monkeypatch.setattr(detectors, "single_image_detector", lambda detector: None)
    monkeypatch.setattr(detectors, "compute_embedding", lambda *what: asked.append("landmarks") or embedding)
    monkeypatch.setattr(detectors, "measure_bias", lambda *what: asked.append("bias") or DetectorBias.none())
    for _ in range(2):
        found, bias = detectors.head_landmarks(tmp_path / "head.npz", assets)
        assert np.array_equal(found.faces, embedding.faces) and not bias.turn.any()
    assert asked == ["landmarks", "bias"]
    bias_path(tmp_path / "head.npz").unlink()
    detectors.measure_landmarks(tmp_path / "head.npz", lambda: assets)
    assert asked == ["landmarks", "bias", "bias"]
