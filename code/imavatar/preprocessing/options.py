"""What preprocessing is asked to do, and whether that can be done."""

from dataclasses import dataclass
from pathlib import Path

from imavatar.assets import assets_dir
from imavatar.data.splits import LAST, SPLITS
from imavatar.errors import DataError
from imavatar.head.assets import OPEN_HEAD_FILE
from imavatar.names import NAME_RULE, is_name, shown
from imavatar.preprocessing.crop import CENTRE
from imavatar.preprocessing.frame_quality import MIN_FRAMES

MIN_SIZE = 64
"""Pixels."""
MOST_FOV = 170.0
"""Degrees; no lens without a fisheye's distortion sees as much."""
DEFAULT_MAX_FRAMES = 1000
"""With `fast_video.conf` an avatar of so many frames, 800 of them to train on, takes about an hour and a half on two
cores. Those of forty seconds; of a longer recording, the frames that differ most."""


@dataclass(frozen=True)
class PreprocessOptions:
    """What the user asks for.

    Args:
        subject: name of the subject, which becomes a folder in `out`.
        videos: of one person. One becomes the recordings `train` and `test`; each of several a recording of its name,
            or all together `train` and `test` (`split`).
        out: folder of all subjects.
        size: side of the written, square images, pixels.
        fps: frames of the videos that are used, a second; None: all.
        focal: the camera's focal length in pixels of the (first) video, not of the written images. None: estimated.
        fov: instead of `focal`: the angle of view of the video's longer side, degrees.
        crop: left, top and side of the square that is cut out, pixels of the upright video; or `centre` for the largest
            in the middle. None: the square around the head.
        face: the face that is followed is the one that comes near this pixel of the upright video first, in each video.
            None: that of the person who is the largest in most of all recordings.
        max_frames: more are thinned out to those that add most. None: all are used.
        split: what is held out as `test` (`data.splits.SPLITS`). Of several videos, `last` holds nothing out: each
            becomes a recording; `blocks` those of all.
        landmarks: the detector, `mediapipe` or `face-alignment`.
        semantics: what makes matte and labels, `auto`, `multiclass`, `bisenet` or `landmarks` (see `segmentation`).
        matting: what makes the matte instead: `rvm` for Robust Video Matting, which is under the GPL-3.0; or `auto`.
        overwrite: replace the subject's folder.
        head: file of the head model that is fitted. None: the open head among the assets.
    """

    subject: str
    videos: tuple[Path, ...]
    out: Path
    size: int = 512
    fps: float | None = 25.0
    focal: float | None = None
    fov: float | None = None
    crop: tuple[int, int, int] | str | None = None
    face: tuple[int, int] | None = None
    max_frames: int | None = DEFAULT_MAX_FRAMES
    split: str = LAST
    landmarks: str = "mediapipe"
    semantics: str = "auto"
    matting: str = "auto"
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
        if isinstance(self.crop, str) and self.crop != CENTRE:
            raise DataError(f"crop {shown(self.crop)!r}: expected x, y and side, or '{CENTRE}'")
        if self.max_frames is not None and self.max_frames < MIN_FRAMES:
            raise DataError(f"max_frames {self.max_frames}: expected at least {MIN_FRAMES}")
        if self.split not in SPLITS:
            raise DataError(f"split {shown(self.split)!r}: expected {' or '.join(SPLITS)}")
        if self.focal is not None and self.fov is not None:
            raise DataError(f"focal {self.focal} and fov {self.fov}: both say how wide the lens is; give one of them")
        if self.fov is not None and not 0 < self.fov <= MOST_FOV:
            raise DataError(f"fov {self.fov}: expected degrees, more than 0 and at most {MOST_FOV:.0f}")
        for name in ("fps", "focal"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise DataError(f"{name} {value}: expected a positive number")
