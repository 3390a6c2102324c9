"""A video to analysed frames: cropped and resized, with landmarks, matte and semantic labels.

They are kept on disk until the fit is done: a few minutes of video do not fit into memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from imavatar.data.video_file import Video, open_video
from imavatar.data.workplace import write_errors
from imavatar.errors import DataError
from imavatar.preprocessing.landmarks import FaceLandmarks, Image
from imavatar.preprocessing.semantics import label_semantics
from imavatar.progress import track

MIN_FRAMES = 20
MIN_SHARE = 0.5
"""Fewer frames with a face than this, or a smaller share of them, are not a recording of a head."""


@dataclass(frozen=True)
class Crop:
    """A square of the video: left, top and side in its pixels."""

    x: int
    y: int
    side: int

    @classmethod
    def centred(cls, height: int, width: int) -> "Crop":
        """The largest square in the middle."""
        side = min(height, width)
        return cls((width - side) // 2, (height - side) // 2, side)

    def check(self, height: int, width: int, path: Path) -> None:
        """See that the square is inside a video of a size in pixels.

        Raises:
            DataError: it is not.
        """
        if not (0 <= self.x <= width - self.side and 0 <= self.y <= height - self.side and self.side > 0):
            raise DataError(
                f"{path}: the crop {self.x},{self.y},{self.side} (x, y, side) is not inside the video of "
                f"{width} x {height} pixels"
            )

    def apply(self, frame: Image, size: int) -> UInt8[np.ndarray, "s s 3"]:
        """The square, resized."""
        part = frame[self.y : self.y + self.side, self.x : self.x + self.side]
        method = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
        resized = part if self.side == size else cv2.resize(part, (size, size), interpolation=method)
        return np.ascontiguousarray(resized)


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
        self._count, self._frame_bytes = 0, 5 * size**2
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


@dataclass
class AnalysedVideo:
    """One recording: the frames with a face, and the numbers of those without."""

    path: Path
    cache: FrameCache
    crop: Crop | None = None
    principal_point: tuple[float, float] = (0.0, 0.0)
    """Continuous pixels of the resized square: the middle of the whole video."""
    scale: float = 1.0
    """Pixels of the resized square per pixel of the video."""
    landmarks: list[FaceLandmarks] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    without_face: list[int] = field(default_factory=list)
    source: Video | None = None
    """What was read."""

    @property
    def n_read(self) -> int:
        """How many frames the video gave."""
        return len(self.time) + len(self.without_face)


class CachedFrames:
    """The cached frames of several videos, one video's after the other's."""

    def __init__(self, videos: Sequence[AnalysedVideo]):
        self._videos = videos
        self._first = np.cumsum([0, *(len(video.cache) for video in videos)])

    def __getitem__(self, index: int) -> CachedFrame:
        video = int(np.searchsorted(self._first, index, side="right")) - 1
        return self._videos[video].cache[int(index - self._first[video])]


def analyse_video(
    path: Path,
    cache: FrameCache,
    find_face: Callable[[Image], FaceLandmarks | None],
    matting: Callable[[Image], Float[np.ndarray, "h w"]],
    *,
    crop: Crop | None,
    fps: float | None,
) -> AnalysedVideo:
    """Decode a video and analyse every frame; those without a face are counted and left out.

    Args:
        cache: takes the frames with a face.
        find_face: may use where the last face was to find the next one.
        matting: gives how much of each pixel belongs to the person, from 0 to 1.
        crop: None is the largest square in the middle.
        fps: frames a second that are used; None: all.

    Raises:
        DataError: the video cannot be read, the crop is not inside it, or too few frames show a face.
    """
    video = AnalysedVideo(path, cache)
    for number, frame in enumerate(track(_square_frames(video, crop, fps), f"frames of {path.name} analysed")):
        found = find_face(frame)
        if found is None:
            video.without_face.append(number)
        else:
            alpha = matting(frame)
            semantic = label_semantics(alpha, found, frame)
            mask = np.clip(np.round(alpha * 255), 0, 255).astype(np.uint8)
            cache.append(CachedFrame(frame, mask, semantic))
            video.landmarks.append(found)
            video.time.append(number)
    _check_faces(video)
    return video


def _square_frames(video: AnalysedVideo, crop: Crop | None, fps: float | None) -> Iterator[Image]:
    """Cropped and resized frames; notes the geometry of the crop in `video`."""
    size = video.cache.size
    video.source = open_video(video.path)
    for frame in video.source.images(fps):
        height, width = frame.shape[:2]
        if video.crop is None:
            video.crop = crop or Crop.centred(height, width)
            video.crop.check(height, width, video.path)
            video.scale = scale = size / video.crop.side
            video.principal_point = ((width / 2 - video.crop.x) * scale, (height / 2 - video.crop.y) * scale)
        yield video.crop.apply(frame, size)


def _check_faces(video: AnalysedVideo) -> None:
    """Raise where too few frames show a face."""
    n_faces, n_read = len(video.time), video.n_read
    if n_faces == 0:
        raise DataError(
            f"{video.path}: no face found in any of its {n_read} frames. The face has to be in the middle "
            "square of the picture, or in the one given by --crop x,y,side; upright, lit, and at least a tenth of "
            "its height."
        )
    if n_faces < MIN_FRAMES or n_faces < MIN_SHARE * n_read:
        raise DataError(
            f"{video.path}: a face was found in only {n_faces} of {n_read} frames; at least {MIN_FRAMES} frames and "
            f"{100 * MIN_SHARE:.0f} % are needed. Cut the video to where the face is in view, or set --crop x,y,side."
        )
