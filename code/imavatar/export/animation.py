"""Videos of an avatar in motion."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.data.video_file import write_video
from imavatar.errors import DataError
from imavatar.export.motion import motion_from_json, sweep_motion
from imavatar.head.flame import Flame
from imavatar.rendering.image import ImageRenderer
from imavatar.rendering.preview import PreviewRenderer
from imavatar.rendering.strips import comparison_strip, video_frame
from imavatar.types import Camera, HeadParameters

__all__ = ["motion_from_json", "render_animation", "sweep_motion"]


def render_animation(
    renderer: ImageRenderer | PreviewRenderer,
    flame: Flame,
    camera: Camera,
    motion: HeadParameters,
    out: Path,
    *,
    height: int,
    width: int,
    fps: float = 25.0,
    latent: Float[Tensor, "1 l"] | None = None,
    progress: Callable[[int, int], None] | None = None,
    beside: Iterable[UInt8[np.ndarray, "h w 3"]] | None = None,
    audio_of: Path | None = None,
    audio_from: float = 0.0,
) -> Path:
    """Write a video of the avatar, colours beside normals, under one camera; returns its path.

    Frames are rendered as they are written. Small ones are enlarged by a whole factor.

    Args:
        camera: one row, or one for every frame.
        motion: a frame a row.
        latent: the code of unseen frames, for avatars that have one.
        beside: pictures to be shown to the left, one for every frame, scaled to the frames' height.
        audio_of: a video whose sound is put under the frames.
        audio_from: its second at which the first frame is.

    Raises:
        DataError: there are fewer pictures than frames.
    """
    device = flame.v_template.device
    camera, motion = camera.to(device), motion.to(device)

    pictures = None if beside is None else iter(beside)

    def frames() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        for index in range(len(motion)):
            posed = flame(motion[index : index + 1], latent)
            own = camera if len(camera) == 1 else camera[index : index + 1]
            image = renderer.render(own, posed, height, width)
            strip = video_frame(comparison_strip(None, image))
            yield strip if pictures is None else _with_picture(strip, next(pictures, None), out, index)
            if progress is not None:
                progress(index + 1, len(motion))

    out.parent.mkdir(parents=True, exist_ok=True)
    write_video(out, frames(), fps, audio_of=audio_of, audio_from=audio_from)
    return out


def _with_picture(strip: np.ndarray, picture: np.ndarray | None, out: Path, index: int) -> np.ndarray:
    if picture is None:
        raise DataError(
            f"{out}: there is no picture for frame {index + 1}: the video beside it is shorter than the motion"
        )
    height, width = strip.shape[:2]
    width = round(picture.shape[1] * height / picture.shape[0])
    smooth = cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_LINEAR
    return video_frame(np.concatenate([cv2.resize(picture, (width, height), interpolation=smooth), strip], axis=1))
