"""What preprocessing is asked to do, and whether that can be done."""

from dataclasses import dataclass
from pathlib import Path

from imavatar.assets import assets_dir
from imavatar.errors import DataError
from imavatar.head.assets import OPEN_HEAD_FILE
from imavatar.names import NAME_RULE, is_name, shown

MIN_SIZE = 64
"""Pixels."""


@dataclass(frozen=True)
class PreprocessOptions:
    """What the user asks for.

    Args:
        subject: name of the subject, which becomes a folder in `out`.
        videos: of one person. One becomes the recordings `train` and `test`; each of several a recording of its name.
        out: folder of all subjects.
        size: side of the written, square images, pixels.
        fps: frames of the videos that are used, a second; None: all.
        focal: the camera's focal length in pixels of the (first) video, not of the written images. None: estimated.
        crop: left, top and side of the square that is cut out, pixels of the video. None: the largest in the middle.
        landmarks: the detector, `mediapipe` or `face-alignment`.
        overwrite: replace the subject's folder.
        head: file of the head model that is fitted. None: the open head among the assets.
    """

    subject: str
    videos: tuple[Path, ...]
    out: Path
    size: int = 512
    fps: float | None = 25.0
    focal: float | None = None
    crop: tuple[int, int, int] | None = None
    landmarks: str = "mediapipe"
    overwrite: bool = False
    head: Path | None = None

    @property
    def target(self) -> Path:
        """The subject's folder."""
        return self.out / self.subject

    @property
    def head_path(self) -> Path:
        """File of the head model that is fitted."""
        return self.head or assets_dir() / OPEN_HEAD_FILE

    def check(self) -> None:
        """See that the request can be carried out, before anything is read.

        Raises:
            DataError: it cannot.
        """
        if not is_name(self.subject):
            raise DataError(f"subject '{shown(self.subject)}': expected {NAME_RULE}; it becomes a folder's name")
        if not self.videos:
            raise DataError("no video given; name at least one with --video")
        for path in self.videos:
            if not path.exists():
                raise DataError(f"{path}: no such video file")
        stems = [path.stem for path in self.videos]
        if len(set(stems)) < len(stems):
            raise DataError(
                f"the videos' names {', '.join(stems)} are not all different, but each becomes a folder; rename one"
            )
        if self.size < MIN_SIZE or self.size % 2:
            raise DataError(f"size {self.size}: expected an even number of pixels, at least {MIN_SIZE}")
        for name in ("fps", "focal"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise DataError(f"{name} {value}: expected a positive number")
