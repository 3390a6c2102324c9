"""Videos of a trained avatar."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from imavatar import build
from imavatar.data.video_file import open_video
from imavatar.errors import ConfigError
from imavatar.export.animation import Companion, Picture, render_animation
from imavatar.motion.camera_ring import ring_of_views
from imavatar.motion.recorded import neutral_aligned, neutral_of
from imavatar.types import HeadParameters
from imavatar.workflows.driving import read_driving
from imavatar.workflows.trained import TrainedAvatar

FIXED, RING = "fixed", "ring"
VIEWS = (FIXED, RING)
SWEEP_FRAMES = 75


@dataclass(frozen=True)
class AnimationOptions:
    """How a motion is shown.

    Attributes:
        frames: of motions without a length of their own.
        fps: frames a second; None: the configuration's `plot.fps`.
        supersample: rays along each side of a pixel.
        views: `fixed`, the first test frame's camera; `ring`: it moves around the head.
        neutral_align: replace the source's face at rest by that of the training frames.
        side_by_side: a video that is shown beside the avatar, with its sound: the frames that the motion is from, or
            all where that is not known.
        preview: show the surface's mesh: faster, less exact.
    """

    frames: int = SWEEP_FRAMES
    fps: float | None = None
    supersample: int = 1
    views: str = FIXED
    neutral_align: bool = False
    side_by_side: Path | None = None
    preview: bool = False


def animate(
    trained: TrainedAvatar,
    motion: str | Path | HeadParameters,
    out: Path | str,
    options: AnimationOptions = AnimationOptions(),
) -> Path:
    """Write a video of the avatar in motion; returns its path.

    Args:
        motion: the name of a source (`workflows.driving.MOTION_HELP`), or a frame a row.
        out: the video file (.mp4). A video whose face is the motion is tracked into the folder `tracked` beside it.

    Raises:
        ConfigError: `neutral_align` has no other person's motion to align.
        DataError: the motion cannot be read, or does not fit the avatar.
    """
    config, out = trained.config, Path(out)
    fps = config.plot.fps if options.fps is None else options.fps
    numbers = video = None
    if isinstance(motion, HeadParameters):
        heads = motion
    else:
        driving = read_driving(str(motion), trained, n_frames=options.frames, fps=fps, tracked=out.parent / "tracked")
        heads, numbers, video = driving.motion, driving.numbers, driving.video
    if options.neutral_align:
        if not (isinstance(motion, HeadParameters) or Path(motion).is_file()):
            raise ConfigError(f"--neutral-align: {motion} is no other person's motion, expected a file")
        heads = neutral_aligned(heads, neutral_of(heads), trained.neutral())
    build_renderer = build.build_preview_renderer if options.preview else build.build_renderer
    companion = Companion(
        None if options.side_by_side is None else _pictures(options.side_by_side, numbers, fps),
        options.side_by_side or video,
        None if numbers is None else [number / fps for number in numbers],
    )
    renderer = build_renderer(config, trained.character.avatar, supersample=options.supersample)
    view = trained.view()
    if options.views != FIXED:
        centre = trained.character.flame.canonical_vertices.mean(dim=0)
        view = replace(view, camera=ring_of_views(view.camera.to(centre.device), centre, len(heads)))
    return render_animation(trained.character, renderer, heads, view, out, fps=fps, companion=companion)


def _pictures(video: Path, numbers: list[int] | None, fps: float) -> Iterator[Picture]:
    wanted = None if numbers is None else set(numbers)
    for number, frame in enumerate(open_video(video).frames(fps)):
        if frame.image is not None and (wanted is None or number in wanted):
            yield frame.image
