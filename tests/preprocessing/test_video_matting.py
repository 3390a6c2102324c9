"""The recurrent matte: what the network is shown, what it is given back of its own, and what is said without it."""

import sys
import types

import numpy as np
import pytest

from imavatar.assets import is_there
from imavatar.errors import AssetError
from imavatar.preprocessing import video_matting
from imavatar.preprocessing.video_matting import STATES, WARM_UP, VideoMatting, downsample_ratio, rvm_session


class Recorded:
    """In place of the network: keeps what it is shown, and counts in its states how often that was."""

    def __init__(self):
        self.shown = []

    def run(self, output_names, input_feed):
        """Alpha from the red channel, beyond [0, 1] at both ends; states of the network's number of channels."""
        self.shown.append(input_feed)
        height, width = input_feed["src"].shape[2:]
        outputs = {"pha": 2 * input_feed["src"][:, :1] - 0.5, "fgr": input_feed["src"]}
        for level, name in enumerate(STATES, 1):
            before = input_feed[f"{name}i"]
            shape = (1, 4 * level, height >> level, width >> level)
            outputs[f"{name}o"] = np.broadcast_to(before.max() + 10.0**level, shape).astype(np.float32)
        return [outputs[name] for name in output_names]

    def states(self, index: int) -> list[np.ndarray]:
        """What it was given back at a call."""
        return [self.shown[index][f"{name}i"] for name in STATES]


def picture(height: int = 16, width: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def begins(states: list[np.ndarray]) -> bool:
    """Whether these states are those of no past."""
    return all(state.shape == (1, 1, 1, 1) and not state.any() for state in states)


def test_alpha_is_the_networks_within_0_and_1_and_pixels_are_shown_in_their_order():
    network, rgb = Recorded(), picture()
    alpha = VideoMatting(network)(rgb)
    np.testing.assert_allclose(alpha, np.clip(2 * (rgb[..., 0] / 255) - 0.5, 0, 1), atol=1e-6)
    assert alpha.shape == (16, 24) and alpha.min() == 0 and alpha.max() == 1
    src = network.shown[0]["src"]
    assert src.shape == (1, 3, 16, 24) and src.dtype == np.float32
    np.testing.assert_allclose(src[0, 2], rgb[..., 2] / 255, atol=1e-6)


def test_each_state_comes_back_to_its_own_input():
    network = Recorded()
    matting = VideoMatting(network)
    matting(picture())
    matting(picture(seed=1))
    assert begins(network.states(0))
    for call in range(1, WARM_UP + 2):
        assert [float(state.max()) for state in network.states(call)] == [call * 10.0**level for level in range(1, 5)]
    assert [state.shape for state in network.states(-1)] == [(1, 4, 8, 12), (1, 8, 4, 6), (1, 12, 2, 3), (1, 16, 1, 1)]


def test_the_first_frame_is_seen_several_times_and_the_next_ones_once():
    network = Recorded()
    matting = VideoMatting(network)
    first, second = picture(), picture(seed=1)
    matting(first)
    matting(second)
    shown = [np.rint(255 * call["src"][0]).astype(np.uint8).transpose(1, 2, 0) for call in network.shown]
    assert WARM_UP > 0 and len(shown) == WARM_UP + 2
    assert all((frame == first).all() for frame in shown[:-1]) and (shown[-1] == second).all()


def test_another_recording_or_a_frame_of_another_size_begins_anew():
    network = Recorded()
    matting = VideoMatting(network)
    matting(picture())
    matting.reset()
    matting(picture())
    matting(picture(24, 16))
    assert [begins(network.states(call)) for call in range(3 * (WARM_UP + 1))] == 3 * [True, *[False] * WARM_UP]


@pytest.mark.parametrize(
    ("height", "width", "ratio"),
    [(256, 256, 1.0), (512, 512, 1.0), (1024, 1024, 0.5), (480, 640, 0.8), (1280, 720, 0.4), (512, 100, 1.0)],
)
def test_the_network_sees_at_most_512_pixels(height, width, ratio):
    assert downsample_ratio(height, width) == pytest.approx(ratio)
    network = Recorded()
    VideoMatting(network)(np.zeros((height, width, 3), np.uint8))
    given = network.shown[0]["downsample_ratio"]
    assert given.shape == (1,) and given.dtype == np.float32 and given[0] == pytest.approx(ratio)


def test_a_missing_package_is_told_how_to_get(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AssetError, match=r"--matting rvm needs ONNX Runtime.*pip install -e \.\[rvm\]"):
        rvm_session()


@pytest.fixture
def runtime(monkeypatch) -> types.SimpleNamespace:
    """In place of ONNX Runtime."""
    opened = types.SimpleNamespace(content=None, providers=None)

    def session(content, settings, providers):
        opened.content, opened.providers = content, providers
        return Recorded()

    module = types.ModuleType("onnxruntime")
    settings = types.SimpleNamespace(add_session_config_entry=lambda name, value: None)
    module.SessionOptions, module.InferenceSession = lambda: settings, session
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    return opened


def test_missing_weights_are_told_how_to_get(runtime, monkeypatch, tmp_path):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    with pytest.raises(AssetError, match=r"rvm\.onnx is missing \(Robust Video Matting.*GPL-3\.0.*--only rvm"):
        rvm_session()


def test_other_weights_are_refused(runtime, monkeypatch, tmp_path):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    (tmp_path / "rvm.onnx").write_bytes(b"other")
    with pytest.raises(AssetError, match="damaged or replaced"):
        rvm_session()
    assert runtime.content is None


def test_the_licence_is_said_where_the_weights_are_used(runtime, monkeypatch, caplog):
    monkeypatch.setattr(video_matting, "asset_bytes", lambda name: name.encode())
    assert isinstance(rvm_session(), Recorded)
    assert "GPL-3.0" in caplog.text and runtime.content == b"rvm" and runtime.providers == ["CPUExecutionProvider"]


def test_the_public_network_takes_pictures_of_any_shape_and_sees_nobody_in_a_grey_one():
    pytest.importorskip("onnxruntime", reason="needs the extra `rvm`")
    if not is_there("rvm"):
        pytest.skip("rvm has not been fetched")
    matting = VideoMatting(rvm_session())
    for shape in ((96, 96), (65, 111), (130, 520)):
        alpha = matting(np.full((*shape, 3), 128, np.uint8))
        assert alpha.shape == shape and alpha.mean() < 0.1
