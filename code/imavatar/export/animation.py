"""Videos of an avatar in motion."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from imavatar.data.video_file import write_video
from imavatar.errors import DataError
from imavatar.progress import track
from imavatar.rendering.character import Character
from imavatar.rendering.image import Renderer
from imavatar.rendering.image_export import comparison_strip, video_frame
from imavatar.types import HeadParameters, View

Picture = UInt8[np.ndarray, "_ _ 3"]
"""Of any size."""


@dataclass(frozen=True)
class Companion:
    """What a video shows and plays besides the avatar.

    Attributes:
        pictures: shown to the left, one for every frame, scaled to the frames' height; None: nothing is shown.
        sound_of: the video whose sound is put under the frames.
        sound_at: its seconds at which the frames are; None: the first is at 0, and they follow each other.
    """

    pictures: Iterable[Picture] | None = None
    sound_of: Path | None = None
    sound_at: Sequence[float] | None = None


def render_animation(
    character: Character,
    renderer: Renderer,
    motion: HeadParameters,
    view: View,
    out: Path,
    *,
    fps: float = 25.0,
    companion: Companion = Companion(),
) -> Path:
    """Write a video of the avatar, colours beside normals; returns its path.

    Frames are rendered as they are written. Small ones are enlarged by a whole factor.

    Args:
        motion: a frame a row.
        view: with one camera, or one for every frame.

    Raises:
        DataError: there are fewer pictures than frames.
    """
    camera = view.camera.to(character.device)
    pictures = None if companion.pictures is None else iter(companion.pictures)

    def frames() -> Iterator[Picture]:
        for index in track(range(len(motion)), "frames rendered"):
            own = camera if len(camera) == 1 else camera[index : index + 1]
            image = renderer.render(own, character.pose(motion[index : index + 1]), view.height, view.width)
            strip = video_frame(comparison_strip(None, image))
            yield strip if pictures is None else _with_picture(strip, next(pictures, None), out, index)

    out.parent.mkdir(parents=True, exist_ok=True)
    write_video(out, frames(), fps, audio_of=companion.sound_of, audio_at=companion.sound_at)
    return out


def _with_picture(strip: Picture, picture: Picture | None, out: Path, index: int) -> Picture:
    if picture is None:
        raise DataError(
            f"{out}: there is no picture for frame {index + 1}: the video beside it is shorter than the motion"
        )
    height, width = strip.shape[:2]
    width = round(picture.shape[1] * height / picture.shape[0])
    smooth = cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_LINEAR
    return video_frame(np.concatenate([cv2.resize(picture, (width, height), interpolation=smooth), strip], axis=1))
