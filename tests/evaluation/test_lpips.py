"""LPIPS with made-up weights against a direct evaluation, and its weights' file."""

import pickle

import numpy as np
import pytest
import torch

from imavatar.errors import AssetError
from imavatar.evaluation.lpips import Lpips, load_lpips

CHANNELS = (3, 4, 6, 5, 4, 4)
SIZES = (11, 5, 3, 3, 3)


def table() -> dict:
    """Weights in the layout of the file: kernels height x width x in x out."""
    generator = np.random.default_rng(0)
    content = {"AlexNet_0": {}}
    for layer, size in enumerate(SIZES):
        shape = (size, size, CHANNELS[layer], CHANNELS[layer + 1])
        kernel = generator.normal(size=shape).astype(np.float32) / size**2
        bias = generator.normal(size=shape[-1]).astype(np.float32)
        content["AlexNet_0"][f"Conv_{layer}"] = {"kernel": kernel, "bias": bias}
        head = np.abs(generator.normal(size=(1, 1, shape[-1], 1))).astype(np.float32)
        content[f"NetLinLayer_{layer}"] = {"Conv_0": {"kernel": head}}
    return content


@pytest.fixture
def path(tmp_path):
    (tmp_path / "weights.ckpt").write_bytes(pickle.dumps(table()))
    return tmp_path / "weights.ckpt"


def images(side: int = 64):
    return torch.rand(side, side, 3) * 2 - 1, torch.rand(side, side, 3) * 2 - 1


def test_equal_images_have_no_distance_and_order_does_not_matter(path):
    metric, (a, b) = Lpips.load(path), images()
    assert metric(a, a) == 0
    assert metric(a, b) == pytest.approx(metric(b, a))
    assert metric(a, b) > 0


def test_the_distance_is_the_weighted_difference_of_unit_features(path):
    content, (a, b) = table(), images()

    def features(image):
        mean, spread = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
        x = ((image - mean) / spread).permute(2, 0, 1)[None]
        layers = []
        for layer, (stride, padding) in enumerate(((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))):
            if layer in (1, 2):
                x = torch.nn.functional.max_pool2d(x, 3, 2)
            weights = content["AlexNet_0"][f"Conv_{layer}"]
            convolution = torch.nn.Conv2d(CHANNELS[layer], CHANNELS[layer + 1], SIZES[layer], stride, padding)
            convolution.weight.data = torch.tensor(weights["kernel"]).permute(3, 2, 0, 1)
            convolution.bias.data = torch.tensor(weights["bias"])
            x = torch.relu(convolution(x))
            layers.append(x[0] / (x[0].norm(dim=0) + 1e-10))
        return layers

    expected = 0.0
    for layer, (x, y) in enumerate(zip(features(a), features(b), strict=True)):
        head = torch.tensor(content[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"]).flatten()
        expected += float((head[:, None, None] * (x - y) ** 2).sum(dim=0).mean().detach())
    assert Lpips.load(path)(a, b) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("side", [8, 30, 31])
def test_small_images_have_a_distance_too(path, side):
    assert Lpips.load(path)(*images(side)) > 0


def test_weights_that_are_not_there_are_reported_and_skipped(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    assert load_lpips() is None
    assert "LPIPS skipped" in caplog.text and "fetch_assets.py" in caplog.text


class Payload:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1]), pickle.dumps({"AlexNet_0": Payload()})])
def test_another_file_is_refused(tmp_path, capsys, content):
    (tmp_path / "weights.ckpt").write_bytes(content)
    with pytest.raises(AssetError, match=r"weights\.ckpt"):
        Lpips.load(tmp_path / "weights.ckpt")
    assert "run" not in capsys.readouterr().out
