"""The landmark model's file, and a crop without a face."""

import zipfile

import numpy as np
import pytest

from imavatar.assets import asset_path
from imavatar.errors import AssetError
from imavatar.preprocessing.face_mesh import MODEL, N_POINTS, FaceMesh, bundled


def test_a_model_is_read_out_of_the_bundle(tmp_path):
    path = tmp_path / "bundle.task"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("one.tflite", b"its content")
    assert bundled(path, "one.tflite") == b"its content"
    with pytest.raises(AssetError, match=r"two\.tflite cannot be read out of it.*fetch_assets"):
        bundled(path, "two.tflite")


def test_a_damaged_bundle_is_refused(tmp_path):
    path = tmp_path / "bundle.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(MODEL, bytes(range(256)) * 50)
    content = bytearray(path.read_bytes())
    content[60:80] = bytes(20)
    for damaged in (b"", b"no archive", bytes(content)):
        path.write_bytes(damaged)
        with pytest.raises(AssetError, match=r"bundle\.task"):
            FaceMesh(path)


def test_a_model_that_is_another_is_refused(tmp_path):
    path = tmp_path / "bundle.task"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(MODEL, b"no model")
    with pytest.raises(AssetError, match=r"bundle\.task is not a model"):
        FaceMesh(path)


def test_a_crop_without_a_face_has_none():
    try:
        path = asset_path("face_landmarker")
    except AssetError as error:
        pytest.skip(str(error))
    mesh = FaceMesh(path)
    points, logit = mesh(np.full((mesh.input_size,) * 2 + (3,), 0.5, dtype=np.float32))
    assert points.shape == (N_POINTS, 2)
    assert logit < 0
