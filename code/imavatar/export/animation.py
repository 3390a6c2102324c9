"""Videos of an avatar in motion."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from imavatar.data.video_file import write_video
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
) -> Path:
    """Write a video of the avatar, colours beside normals, under one camera; returns its path.

    Frames are rendered as they are written. Small ones are enlarged by a whole factor.

    Args:
        camera: one row.
        motion: a frame a row.
        latent: the code of unseen frames, for avatars that have one.
    """
    device = flame.v_template.device
    camera, motion = camera.to(device), motion.to(device)

    def frames() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        for index in range(len(motion)):
            posed = flame(motion[index : index + 1], latent)
            image = renderer.render(camera, posed, height, width)
            yield video_frame(comparison_strip(None, image))
            if progress is not None:
                progress(index + 1, len(motion))

    out.parent.mkdir(parents=True, exist_ok=True)
    write_video(out, frames(), fps)
    return out
