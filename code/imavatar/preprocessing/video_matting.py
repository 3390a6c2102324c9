"""Soft alpha by Robust Video Matting (RVM; Lin et al., WACV 2022), a recurrent network, on ONNX Runtime.

RVM's code and weights are under the GPL-3.0. They are no part of this project: the weights are fetched and used where
they are asked for by name.
"""

import logging
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from imavatar.assets import ASSETS, asset_bytes
from imavatar.errors import AssetError
from imavatar.preprocessing.landmarks import Image

logger = logging.getLogger(__name__)

ASSET = "rvm"
N_THREADS = 2
STATES = ("r1", "r2", "r3", "r4")
"""Of the network; `i` is appended for its inputs, `o` for its outputs."""
NETWORK_SIDE = 512
"""Pixels of the longer side at which the network sees a picture, at most, as its authors advise. Its own last stage
brings alpha back to the picture's size."""
WARM_UP = 4
"""How often the first frame is seen before its alpha is taken: without a past the network is unsure of the outline."""


@runtime_checkable
class Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`."""

    def run(self, output_names: list[str], input_feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The named outputs."""
        ...


class VideoMatting:
    """Frames of a recording, in their order, to alpha in [0, 1]; what was seen before counts.

    Args:
        session: runs the network, as `rvm_session` opens it.
    """

    def __init__(self, session: Session):
        self._session = session
        self._states = _no_states()
        self._shape: tuple[int, ...] | None = None

    def reset(self) -> None:
        """Forget what was seen: another recording, or another shot of one, begins."""
        self._shape = None

    def __call__(self, rgb: Image) -> Float[np.ndarray, "h w"]:
        """Alpha of the next frame. One of another size begins anew."""
        if rgb.shape != self._shape:
            self._states, self._shape = _no_states(), rgb.shape
            for _ in range(WARM_UP):
                self._advance(rgb)
        return np.clip(self._advance(rgb), 0, 1)

    def _advance(self, rgb: Image) -> Float[np.ndarray, "h w"]:
        """Show the network a frame."""
        frame = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32) / 255
        before = {f"{name}i": state for name, state in zip(STATES, self._states, strict=True)}
        ratio = np.array([downsample_ratio(*rgb.shape[:2])], dtype=np.float32)
        wanted = ["pha", *(f"{name}o" for name in STATES)]
        alpha, *self._states = self._session.run(wanted, {"src": frame, **before, "downsample_ratio": ratio})
        return alpha[0, 0]


def _no_states() -> list[np.ndarray]:
    """What stands for no past: the network widens zeros to any size."""
    return [np.zeros((1, 1, 1, 1), dtype=np.float32)] * len(STATES)


def downsample_ratio(height: int, width: int) -> float:
    """By how much the network shrinks a picture before it looks at it."""
    return min(1.0, NETWORK_SIDE / max(height, width))


def rvm_session() -> Session:
    """A session with RVM's weights; says under which licence they are.

    Raises:
        AssetError: ONNX Runtime is not installed, or the weights have not been fetched.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise AssetError(
            "--matting rvm needs ONNX Runtime, which is not installed; run: pip install -e .[rvm]"
        ) from error
    content = asset_bytes(ASSET)
    logger.warning("matte by Robust Video Matting: %s", ASSETS[ASSET].package.licence)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = N_THREADS
    # Threads that spin while they wait take the time of other processes.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
