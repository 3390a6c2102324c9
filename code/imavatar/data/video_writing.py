"""Writing video files, encoded by PyAV.

They take minutes to write, in folders that have no lock: who writes one holds a lock on the file itself. What killed
processes have left of them nobody holds, and it is removed.
"""

import contextlib
import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from imavatar.data.video_sound import CODEC, Sound, encode_sound
from imavatar.errors import DataError
from imavatar.files.atomic import TEMPORARY_SUFFIX, replacing

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

ENCODERS = ("libx264", "mpeg4")
"""Tried in this order; the first is what browsers play."""


def write_video(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "h w 3"]],
    fps: float,
    *,
    audio_of: Path | None = None,
    audio_at: Sequence[float] | None = None,
) -> None:
    """Write RGB frames as H.264 in MP4, atomically; odd sizes are padded to even ones.

    Args:
        audio_of: a video whose sound, where it has any, is put under the frames.
        audio_at: its seconds at which the frames are. None: the first is at 0, and they follow each other.

    Raises:
        DataError: no frames, the file cannot be written, or `audio_of` cannot be read.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing_slowly(path) as temporary:
            n_written = _encode(temporary, frames, fps, audio_of, audio_at)
            if n_written == 0:
                raise DataError(f"{path}: there are no frames to write")
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error


def _encode(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "h w 3"]],
    fps: float,
    audio_of: Path | None,
    audio_at: Sequence[float] | None,
) -> int:
    n_written, stream, voice = 0, None, None
    encoder = next(name for name in ENCODERS if name in av.codecs_available)
    sound = None if audio_of is None else Sound(audio_of)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        for frame in frames:
            padded = np.pad(frame, (*((0, n % 2) for n in frame.shape[:2]), (0, 0)), mode="edge")
            if stream is None:
                stream = container.add_stream(encoder, rate=Fraction(fps).limit_denominator(1001))
                stream.height, stream.width = padded.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "18"}
                if sound is not None and sound.rate:
                    voice = container.add_stream(CODEC, rate=sound.rate)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
            container.mux(stream.encode(picture))
            n_written += 1
        if stream is not None:
            container.mux(stream.encode())
        if voice is not None:
            times = [k / fps for k in range(n_written)] if audio_at is None else audio_at[:n_written]
            encode_sound(container, voice, sound.at_frames(times, fps), sound.layout)
    return n_written


@contextlib.contextmanager
def _replacing_slowly(path: Path) -> Iterator[Path]:
    """As `files.atomic.replacing`, which see; before, the unfinished files of killed processes are removed."""
    # The second one is what version 0.1.0 left.
    names = (
        f".{glob.escape(path.name)}.*{TEMPORARY_SUFFIX}{path.suffix}",
        f".{glob.escape(path.stem)}.tmp{path.suffix}",
    )
    for left in [left for name in names for left in path.parent.glob(name)]:
        _remove_unheld(left)
    with replacing(path) as temporary:
        # Kept by who opens it for writing: it stays the same file.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield temporary
        finally:
            os.close(descriptor)


def _remove_unheld(path: Path) -> None:
    """Remove a file whose writer has ended; of one that cannot be known it stays."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)
