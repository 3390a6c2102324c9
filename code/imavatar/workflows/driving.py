"""What drives an avatar, by name: a built-in motion, a file, frames of one, or a video."""

import itertools
import logging
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from imavatar.build import find_head_file
from imavatar.data.subject import load_recording
from imavatar.motion.recorded import EXTRAPOLATE, INTERPOLATE, motion_from_frames, motion_from_json
from imavatar.motion.sweep import sweep_motion
from imavatar.motion.tables import motion_from_table
from imavatar.types import HeadParameters
from imavatar.workflows.trained import TrainedAvatar

logger = logging.getLogger(__name__)

SWEEP = "sweep"
VIDEOS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".ts", ".mts", ".m2ts", ".gif")
MOTION_HELP = (
    "sweep (built in), a flame_params.json, a .csv of coefficients, a video (its face is tracked), "
    "interpolate:FILE:A:B (frames of a recording) or extrapolate:FILE:A:FACTOR"
)


@dataclass(frozen=True)
class Driving:
    """A motion, a frame a row; which frames of a video these are (None: not known), and the video where it is one."""

    motion: HeadParameters
    numbers: list[int] | None = None
    video: Path | None = None


def read_driving(source: str, trained: TrainedAvatar, *, n_frames: int, fps: float, tracked: Path) -> Driving:
    """The motion that `source` names, as MOTION_HELP says.

    Args:
        trained: the avatar to be driven; its head model is what a video is tracked with.
        n_frames: length of motions that have none of their own.
        fps: frames a second of videos.
        tracked: folder for the recordings that tracked videos become.

    Raises:
        DataError: the source cannot be read, or does not fit the avatar.
    """
    n_expression, named = trained.n_expression, trained.head.named_expressions
    if source == SWEEP:
        return Driving(sweep_motion(n_expression, named, n_frames=n_frames))
    if source.split(":")[0] in (INTERPOLATE, EXTRAPOLATE):
        return Driving(motion_from_frames(source, n_expression, n_frames))
    path = Path(source)
    if path.suffix.lower() == ".csv":
        return Driving(motion_from_table(path, n_expression, named | trained.head.face_units))
    if path.suffix.lower() in VIDEOS:
        return _tracked(path, trained, fps, tracked)
    motion = motion_from_json(path, n_expression)
    numbers = [frame.video_frame for frame in load_recording(path.parent, path.name).frames]
    return Driving(motion, None if None in numbers else numbers)


def _tracked(video: Path, trained: TrainedAvatar, fps: float, out: Path) -> Driving:
    # Its models are an extra of the installation.
    from imavatar.preprocessing.options import PreprocessOptions
    from imavatar.preprocessing.video_motion import track_motion

    head = find_head_file(trained.config)
    options = PreprocessOptions(subject=video.stem, videos=(video,), out=out, fps=fps, head=head)
    motion, numbers, folder = track_motion(options, trained.n_expression)
    logger.info("tracked: %s (overlay.mp4 there shows how well)", folder)
    return Driving(motion, numbers, video)


def clip_name(source: str, taken: Container[str]) -> str:
    """A name for a source's motion: a recording's folder, another file's name, or the kind of what is no file."""
    kind, *rest = source.split(":")
    path = Path(source)
    name = path.resolve().parent.name if path.suffix.lower() == ".json" else path.stem
    name = kind if rest else name
    names = itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2)))
    return next(n for n in names if n not in taken)
