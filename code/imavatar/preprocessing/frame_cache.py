"""Analysed frames kept on disk until the fit is done: a few minutes of video do not fit into memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from imavatar.errors import DataError


@dataclass(frozen=True)
class CachedFrame:
    """What the subject folder will hold of a frame."""

    image: UInt8[np.ndarray, "h w 3"]
    mask: UInt8[np.ndarray, "h w"]
    semantic: UInt8[np.ndarray, "h w"]


class FrameCache:
    """A file of square frames of the same size, appended to and read back by number."""

    def __init__(self, path: Path, size: int):
        self.path, self.size = path, size
        self._count = 0
        try:
            self._file = open(path, "wb+")  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror})") from error

    def __enter__(self) -> "FrameCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return self._count

    @property
    def _frame_bytes(self) -> int:
        return 5 * self.size**2

    def append(self, frame: CachedFrame) -> None:
        """Keep a frame; its number is the count before.

        Raises:
            ValueError: the frame has another size.
            DataError: the file cannot be written.
        """
        layers = np.dstack([frame.image, frame.mask, frame.semantic])
        if layers.shape != (self.size, self.size, 5):
            raise ValueError(f"a frame of {layers.shape[:2]} in a cache of {self.size}")
        try:
            self._file.seek(self._count * self._frame_bytes)
            self._file.write(layers.astype(np.uint8).tobytes())
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be written ({error.strerror}); {self._frame_bytes / 1e6:.1f} MB per frame "
                "are needed until the recording is written"
            ) from error
        self._count += 1

    def __getitem__(self, index: int) -> CachedFrame:
        if not 0 <= index < self._count:
            raise IndexError(index)
        self._file.seek(index * self._frame_bytes)
        content = self._file.read(self._frame_bytes)
        layers = np.frombuffer(content, np.uint8).reshape(self.size, self.size, 5)
        image = np.ascontiguousarray(layers[..., :3])
        return CachedFrame(image, layers[..., 3].copy(), layers[..., 4].copy())
