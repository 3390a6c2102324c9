"""A folder of pictures, read as a video."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from imavatar.data.exif import FOCAL_35MM, MAKE, MODEL, ORIENTATION, exif_of
from imavatar.data.images import read_stored
from imavatar.data.video_facts import Camera, VideoFacts, looks_like_phone
from imavatar.data.video_orientation import Orientation
from imavatar.data.video_picture import on_background
from imavatar.data.video_times import DEFAULT_RATE
from imavatar.errors import DataError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
UNREADABLE = (".heic", ".heif", ".avif", ".dng", ".raw", ".cr2", ".nef", ".arw")
"""Pictures that can't be read; a folder with some would be read with gaps."""


class ImageFolder:
    """The pictures of a folder, each shown equally long.

    Raises:
        DataError: there are none, or some that can't be read.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.files = pictures_of(self.path)
        self._alpha = False
        first = self.picture(self.files[0])
        tags = exif_of(self.files[0].read_bytes())
        orientation = Orientation.of_exif(int(tags.get(ORIENTATION, 1)))
        camera = Camera.of({"make": str(tags.get(MAKE, "")), "model": str(tags.get(MODEL, ""))})
        height, width = first.shape[:2]
        self._facts = VideoFacts(
            name=self.path.name,
            width=width,
            height=height,
            seconds=len(self.files) / DEFAULT_RATE,
            frames=len(self.files),
            fps=DEFAULT_RATE,
            rotation=90 * orientation.turns,
            mirrored=orientation.mirrored,
            bit_depth=8 * read_stored(self.files[0], "picture").itemsize,
            camera=Camera(camera.make, camera.model, float(tags.get(FOCAL_35MM, 0)) or None, camera.is_phone),
            phone=looks_like_phone(camera, width, height, orientation.turns),
        )

    @property
    def facts(self) -> VideoFacts:
        """What is known so far."""
        return replace(self._facts, alpha=self._alpha)

    def instants(self, fps: float | None) -> Iterator[tuple[float, int, Path]]:
        """When each picture is shown, seconds from the first one; its number; its file.

        Args:
            fps: how many are shown a second; None: DEFAULT_RATE.
        """
        for number, file in enumerate(self.files):
            yield number / (fps or DEFAULT_RATE), number, file

    def picture(self, file: Path) -> UInt8[np.ndarray, "h w 3"]:
        """The upright RGB picture in a file.

        Raises:
            DataError: it can't be read.
        """
        pixels = read_stored(file, "picture")
        if pixels.dtype == np.uint16:
            pixels = np.round(pixels / 257).astype(np.uint8)
        if pixels.dtype != np.uint8:
            raise DataError(f"{file}: its samples are {pixels.dtype}, expected 8 or 16 bits")
        if pixels.ndim == 2:
            image, alpha = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), None
        else:
            image = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)
            alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
        if alpha is not None and alpha.min() < 255:
            self._alpha = True
            image = on_background(image, alpha)
        return Orientation.of_exif(int(exif_of(file.read_bytes()).get(ORIENTATION, 1))).apply(image)


def pictures_of(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order (`2` before `10`).

    Raises:
        DataError: there are none, or some that can't be read.
    """
    try:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error
    if unreadable := sorted(path for path in files if path.suffix.lower() in UNREADABLE):
        raise DataError(f"{unreadable[0]}: pictures of this kind cannot be read; convert them to JPEG or PNG")
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    if not pictures:
        raise DataError(
            f"{folder} is a folder without pictures ({', '.join(PICTURES)}), expected these or a video file"
        )
    return sorted(pictures, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Digits count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.findall(r"\d+|\D+", name)]
