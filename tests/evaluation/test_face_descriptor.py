"""The face descriptor with made-up weights against a direct evaluation; its files; the alignment of faces."""

import json

import cv2
import numpy as np
import pytest
import torch

from imavatar.errors import AssetError
from imavatar.evaluation.face_descriptor import (
    ANCHORS,
    CHIP,
    COLOUR_RANGE,
    MEAN_COLOUR,
    PADDING,
    PLACES,
    STRANGERS,
    FaceDescriptor,
    aligned_face,
    load_face_descriptor,
    similarity,
)

UNITS = (
    *(("conv32_1", 32, 32), ("conv32_2", 32, 32), ("conv32_3", 32, 32)),
    *(("conv64_down", 32, 64), ("conv64_1", 64, 64), ("conv64_2", 64, 64), ("conv64_3", 64, 64)),
    *(("conv128_down", 64, 128), ("conv128_1", 128, 128), ("conv128_2", 128, 128)),
    *(("conv256_down", 128, 256), ("conv256_1", 256, 256), ("conv256_2", 256, 256), ("conv256_down_out", 256, 256)),
)
"""Names, and channels before and after."""


def made_weights() -> dict[str, np.ndarray]:
    """In the layout of the file: kernels are height x width x in x out."""
    source = np.random.default_rng(0)
    layers = [("conv32_down", 7, 3, 32)]
    for name, before, after in UNITS:
        layers += [(f"{name}/conv1", 3, before, after), (f"{name}/conv2", 3, after, after)]
    found = {}
    for name, size, before, after in layers:
        spread = (2 / (size * size * before)) ** 0.5
        found[f"{name}/conv/filters"] = spread * source.normal(size=(size, size, before, after))
        found[f"{name}/conv/bias"] = 0.1 * source.normal(size=after)
        found[f"{name}/scale/weights"] = 1 + 0.1 * source.normal(size=after)
        found[f"{name}/scale/biases"] = 0.1 * source.normal(size=after)
    found["fc"] = source.normal(size=(256, 128)) / 16
    return {name: value.astype(np.float32) for name, value in found.items()}


def write_weights(folder, weights: dict[str, np.ndarray], *, as_bytes: bool = False):
    """The two files; `as_bytes` rounds every tensor but `fc` to 256 steps. Returns the path and what was written."""
    entries, content, written = [], b"", {}
    for name, value in weights.items():
        entry = {"name": name, "shape": list(value.shape), "dtype": "float32"}
        if as_bytes and name != "fc":
            low, scale = float(value.min()), float(np.ptp(value)) / 255
            steps = ((value - low) / scale).round().astype(np.uint8)
            entry["quantization"] = {"dtype": "uint8", "scale": scale, "min": low}
            content += steps.tobytes()
            written[name] = steps * np.float32(scale) + np.float32(low)
        else:
            content += value.astype("<f4").tobytes()
            written[name] = value
        entries.append(entry)
    path = folder / "net.bin"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps([{"weights": entries, "paths": ["net.bin"]}]))
    return path, written


def direct(weights: dict[str, np.ndarray], chip: np.ndarray) -> torch.Tensor:
    """The same network, unit by unit, with sizes written out."""

    def layer(x, name, stride):
        kernel = torch.tensor(weights[f"{name}/conv/filters"]).permute(3, 2, 0, 1)
        module = torch.nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2], stride, 0 if stride == 2 else 1)
        norm = torch.nn.BatchNorm2d(kernel.shape[0], eps=0).eval()
        for tensor, part in (
            (module.bias, "conv/bias"),
            (norm.weight, "scale/weights"),
            (norm.bias, "scale/biases"),
        ):
            tensor.data = torch.tensor(weights[f"{name}/{part}"])
        module.weight.data = kernel
        return norm(module(x))

    x = (torch.tensor(chip).float() - torch.tensor(MEAN_COLOUR)) / COLOUR_RANGE
    x = torch.nn.MaxPool2d(3, 2)(layer(x.permute(2, 0, 1)[None], "conv32_down", 2).relu())
    sizes = []
    for name, _, after in UNITS:
        stride = 2 if "down" in name else 1
        inner = layer(layer(x, f"{name}/conv1", stride).relu(), f"{name}/conv2", 1)
        past = torch.nn.AvgPool2d(2)(x) if stride == 2 else x
        side = max(inner.shape[-1], past.shape[-1])
        total = torch.zeros(1, after, side, side)
        for part in (inner, past):
            total[:, : part.shape[1], : part.shape[2], : part.shape[3]] += part
        x = total.relu()
        sizes.append(side)
    assert sizes == [35, 35, 35, 17, 17, 17, 17, 8, 8, 8, 4, 4, 4, 2]
    return x.mean(dim=(0, 2, 3)) @ torch.tensor(weights["fc"])


def chip(seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (10, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, (CHIP, CHIP), interpolation=cv2.INTER_CUBIC)


@torch.no_grad()
@pytest.mark.parametrize("as_bytes", [False, True])
def test_the_descriptor_is_that_of_a_direct_evaluation(tmp_path, as_bytes):
    path, written = write_weights(tmp_path, made_weights(), as_bytes=as_bytes)
    found = FaceDescriptor.load(path)(chip())
    assert found.shape == (128,) and np.linalg.norm(found) > 0.1
    np.testing.assert_allclose(found, direct(written, chip()).numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("harm", ["cut", "longer", "without fc", "no manifest", "not JSON", "a list"])
def test_damaged_files_are_named(tmp_path, harm):
    weights = {name: value for name, value in made_weights().items() if harm != "without fc" or name != "fc"}
    path, _ = write_weights(tmp_path, weights)
    manifest = path.with_suffix(".json")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-4])
    elif harm == "longer":
        path.write_bytes(path.read_bytes() + b"more")
    elif harm == "no manifest":
        manifest.unlink()
    elif harm in ("not JSON", "a list"):
        manifest.write_text("[1]" if harm == "a list" else "{")
    with pytest.raises(AssetError, match=r"net\.bin.*--only face_recognition"):
        FaceDescriptor.load(path)


def test_without_weights_there_is_none_and_a_message_says_why(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    assert load_face_descriptor() is None
    assert "identity skipped" in caplog.text and "--only face_recognition" in caplog.text


def landmarks(angle: float, scale: float, shift: np.ndarray) -> np.ndarray:
    """Landmarks of a face whose chip has been turned, scaled and shifted."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.zeros((468, 2))
    points[list(ANCHORS)] = (CHIP * (PADDING + PLACES) / (1 + 2 * PADDING)) @ turn.T + shift
    return points


def test_a_face_that_lies_as_expected_is_left_as_it_is():
    np.testing.assert_array_equal(aligned_face(chip(), landmarks(0, 1, np.zeros(2))), chip())


def test_a_face_that_is_turned_and_larger_is_brought_back():
    angle, scale, shift = 0.4, 1.7, np.array([90.0, 20.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    image = cv2.warpAffine(chip(), np.concatenate([turn, shift[:, None]], axis=1), (420, 420))
    difference = aligned_face(image, landmarks(angle, scale, shift)).astype(int) - chip()
    assert np.abs(difference[8:-8, 8:-8]).mean() < 2


def test_the_same_face_is_entirely_similar_and_strangers_are_not():
    assert similarity(0.0) == 1 and similarity(STRANGERS) == 0 and similarity(0.3) > similarity(0.6) > 0


def test_faces_of_equal_distance_from_their_middle_have_their_cosine_there():
    source = np.random.default_rng(3)
    a, b = (v / np.linalg.norm(v) * STRANGERS / 2**0.5 for v in source.normal(size=(2, 128)))
    cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    assert similarity(float(np.linalg.norm(a - b))) == pytest.approx(cosine)
