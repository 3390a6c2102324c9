"""Analysed frames on disk until the fit is done: a few minutes of video do not fit into memory."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from imavatar.data.workplace import write_errors
from imavatar.errors import DataError
from imavatar.preprocessing.landmarks import Image

CACHED_BYTES = 5
"""Of a pixel in the cache."""
WRITTEN_BYTES = 3
"""Of a pixel in the subject's folder and the overlay, at most."""


@dataclass(frozen=True)
class CachedFrame:
    """What the subject folder will hold of a frame."""

    image: Image
    mask: UInt8[np.ndarray, "h w"]
    semantic: UInt8[np.ndarray, "h w"]


class FrameCache:
    """A file of square frames of the same size, appended to and read back by number."""

    def __init__(self, path: Path, size: int):
        self.path, self.size = path, size
        self._count, self._frame_bytes = 0, CACHED_BYTES * size**2
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

    def append(self, frame: CachedFrame) -> None:
        """Keep a frame; its number is the count before.

        Raises:
            ValueError: the frame has another size.
            DataError: the file cannot be written.
        """
        layers = np.dstack([frame.image, frame.mask, frame.semantic])
        if layers.shape != (self.size, self.size, 5):
            raise ValueError(f"a frame of {layers.shape[:2]} in a cache of {self.size}")
        needed = f"{self._frame_bytes / 1e6:.1f} MB per frame are needed until the recording is written"
        with write_errors(self.path, needed):
            self._file.seek(self._count * self._frame_bytes)
            self._file.write(layers.astype(np.uint8).tobytes())
        self._count += 1

    def __getitem__(self, index: int) -> CachedFrame:
        if not 0 <= index < self._count:
            raise IndexError(index)
        self._file.seek(index * self._frame_bytes)
        layers = np.frombuffer(self._file.read(self._frame_bytes), np.uint8).reshape(self.size, self.size, 5)
        return CachedFrame(layers[..., :3].copy(), layers[..., 3].copy(), layers[..., 4].copy())


def check_room(folder: Path, n_frames: int, size: int) -> None:
    """See that the frames fit on the disk, before hours are spent on them.

    Args:
        size: side of the frames, pixels.

    Raises:
        DataError: they do not.
    """
    needed, free = n_frames * (CACHED_BYTES + WRITTEN_BYTES) * size**2, shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder.parent}: {n_frames} frames of {size} x {size} pixels need about {needed / 1e9:.1f} GB until they "
            f"are written, and {free / 1e9:.1f} GB are free; choose another --out, a smaller --size or fewer "
            "--max-frames"
        )
