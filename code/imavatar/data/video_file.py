"""Videos as upright RGB frames with square pixels, each with its true time; a folder of pictures counts as one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from imavatar.data.image_folder import ImageFolder
from imavatar.data.still_pictures import Repeats
from imavatar.data.video_facts import VideoFacts
from imavatar.data.video_picture import Image, of_size
from imavatar.data.video_source import FileSource
from imavatar.data.video_writing import write_video

__all__ = ["Video", "VideoFrame", "open_video", "read_frames", "write_video"]

FEW_NEW = 0.9
"""A video is said to repeat pictures where fewer of its frames than this share show something new."""


@dataclass(frozen=True)
class VideoFrame:
    """What a video shows at an instant.

    Attributes:
        time: seconds from the first frame.
        image: None where it is left out.
        source: the number of the decoded frame, from 0: two instants may show the same one.
        is_new: whether it differs from the frame handed out before it.
        left_out: why there is no image.
    """

    time: float
    image: Image | None
    source: int
    is_new: bool
    left_out: str = ""


class Video:
    """A video that can be read, several times if need be; `open_video` makes it."""

    def __init__(self, source: FileSource | ImageFolder):
        self._source = source
        self._n_given = self._n_new = 0
        self._time = 0.0
        """Of the frame handed out last."""
        self._other_sizes: Counter[str] = Counter()

    @property
    def facts(self) -> VideoFacts:
        """What is known; what can only be counted is of the frames that were read so far."""
        facts = self._source.facts
        notes = [*facts.notes, *(f"{n} frames are {what}." for what, n in self._other_sizes.items())]
        if self._time and self._n_new < FEW_NEW * self._n_given:
            # The last frame is shown as long as the others, in the mean.
            rate = self._n_new * (1 - 1 / self._n_given) / self._time
            notes.append(
                f"Only {self._n_new} of {self._n_given} frames show something new: {rate:.3g} pictures a second."
            )
        return replace(facts, notes=notes, frames_given=self._n_given, frames_different=self._n_new)

    def frames(self, fps: float | None = None) -> Iterator[VideoFrame]:
        """What is shown at each instant from the first frame on.

        Args:
            fps: instants a second; None: all frames, each once. The pictures of a folder are all given, once.

        Raises:
            DataError: the file ends before what it announces, or a picture can't be read.
        """
        self._n_given = self._n_new = 0
        self._other_sizes.clear()
        repeats, given = Repeats(), None
        for time, number, stored in self._source.instants(fps):
            if given is not None and given.source == number:
                given = replace(given, time=time, is_new=False)
            else:
                image, left_out = self._fitted(self._source.picture(stored))
                given = VideoFrame(time, image, number, image is not None and repeats.is_new(image), left_out)
            if given.image is not None:
                self._n_given += 1
                self._time = time
            self._n_new += given.is_new
            yield given

    def images(self, fps: float | None = None) -> Iterator[Image]:
        """The images of `frames`, without those that are left out."""
        return (frame.image for frame in self.frames(fps) if frame.image is not None)

    def _fitted(self, image: Image) -> tuple[UInt8[np.ndarray, "h2 w2 3"] | None, str]:
        """A picture at the size of the first one; or None, and why."""
        facts = self._source.facts
        fitted = of_size(image, (facts.height, facts.width))
        if fitted is image:
            return image, ""
        size = f"{image.shape[1]} x {image.shape[0]} pixels"
        sizes = f"{size}, not {facts.width} x {facts.height} as the first"
        self._other_sizes[f"{sizes}: {'left out' if fitted is None else 'scaled'}"] += 1
        return fitted, f"picture of another shape ({size})" if fitted is None else ""


def open_video(path: Path) -> Video:
    """A video file, or a folder of pictures.

    Raises:
        DataError: missing, neither of them, or nothing in it can be decoded.
    """
    path = Path(path)
    return Video(ImageFolder(path) if path.is_dir() else FileSource(path))


def read_frames(path: Path, *, fps: float | None = None) -> Iterator[Image]:
    """The images of a video, see `Video.images`.

    Raises:
        DataError: missing, not a video, no frames, or cut off before its end.
    """
    yield from open_video(path).images(fps)
