"""Video files, decoded and encoded by PyAV.

They take minutes to write, in folders that have no lock: who writes one holds a lock on the file itself. What killed
processes have left of them nobody holds, and it is removed.
"""

import contextlib
import glob
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from jaxtyping import UInt8

from imavatar.errors import DataError
from imavatar.files.atomic import TEMPORARY_SUFFIX, replacing

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

ENCODERS = ("libx264", "mpeg4")
"""Tried in this order; the first is what browsers play."""

SOUND = "aac"
LOST_SHARE = 0.1
"""A file that lacks more than this share of the frames that it announces is called truncated."""


def read_frames(path: Path, *, fps: float | None = None) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """RGB frames, upright as the rotation in the metadata says; all, or `fps` a second.

    Of each instant the frame shown then is given, by the frames' own times.

    Raises:
        DataError: missing, not a video, no frames, or cut off before its end.
    """
    n_decoded, n_given, start = 0, 0, None
    with _open(path) as container:
        announced = _announced(container.streams.video[0])
        for frame in _decode(container):
            n_decoded += 1
            if fps is None or frame.time is None:
                yield _upright(frame)
                continue
            start = frame.time if start is None else start
            # Half a frame of tolerance, since times are rounded to the stream's clock.
            while frame.time - start >= (n_given - 0.01) / fps:
                yield _upright(frame)
                n_given += 1
                if fps * (frame.time - start) < n_given:
                    break
    if n_decoded == 0:
        raise DataError(f"{path}: no frame can be decoded; convert the video to MP4 (H.264)")
    if n_decoded < (1 - LOST_SHARE) * announced:
        raise DataError(
            f"{path}: only {n_decoded} of {announced} frames can be decoded: the file is truncated; "
            "copy or record it again"
        )


def write_video(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "h w 3"]],
    fps: float,
    *,
    audio_of: Path | None = None,
    audio_from: float = 0.0,
) -> None:
    """Write RGB frames as H.264 in MP4, atomically; odd sizes are padded to even ones.

    Args:
        audio_of: a video whose sound, where it has any, is put under the frames.
        audio_from: its second at which the first frame is.

    Raises:
        DataError: no frames, the file cannot be written, or `audio_of` cannot be read.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing_slowly(path) as temporary:
            n_written = _encode(temporary, frames, fps, audio_of, audio_from)
            if n_written == 0:
                raise DataError(f"{path}: there are no frames to write")
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error


def _encode(
    path: Path, frames: Iterable[UInt8[np.ndarray, "h w 3"]], fps: float, audio_of: Path | None, audio_from: float
) -> int:
    n_written, stream = 0, None
    encoder = next(name for name in ENCODERS if name in av.codecs_available)
    with (
        _sound(audio_of) as sound,
        av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        for frame in frames:
            padded = np.pad(frame, (*((0, n % 2) for n in frame.shape[:2]), (0, 0)), mode="edge")
            if stream is None:
                stream = container.add_stream(encoder, rate=Fraction(fps).limit_denominator(1001))
                stream.height, stream.width = padded.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "18"}
                voice = None if sound is None else container.add_stream(SOUND, rate=sound.rate)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
            container.mux(stream.encode(picture))
            n_written += 1
        if stream is not None:
            container.mux(stream.encode())
            if voice is not None:
                _encode_sound(container, voice, sound, audio_from, n_written / fps)
    return n_written


@contextlib.contextmanager
def _sound(path: Path | None) -> Iterator[av.AudioStream | None]:
    """The audio stream of a video; None without one."""
    if path is None:
        yield None
        return
    with _open(path) as container:
        yield next(iter(container.streams.audio), None)


def _encode_sound(
    container: OutputContainer, stream: av.AudioStream, source: av.AudioStream, begin: float, seconds: float
) -> None:
    """So many seconds of a sound."""
    resampler = av.AudioResampler(format="fltp", layout=source.layout.name, rate=stream.rate)
    fifo, start = av.AudioFifo(), None
    for frame in source.container.decode(source):
        start = frame.time if start is None else start
        if frame.time is not None and frame.time - start >= begin + seconds:
            break
        for part in resampler.resample(frame):
            part.pts = None
            fifo.write(part)
    skipped = min(fifo.samples, round(begin * stream.rate))
    if skipped > 0:
        fifo.read(skipped)
    wanted = min(fifo.samples, round(seconds * stream.rate))
    written = 0
    while written < wanted:
        part = fifo.read(min(stream.codec_context.frame_size or 1024, wanted - written), partial=True)
        part.pts = written
        written += part.samples
        container.mux(stream.encode(part))
    container.mux(stream.encode())


def _open(path: Path) -> InputContainer:
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder, expected a video file")
    if not path.exists():
        raise DataError(f"{path} does not exist, expected a video file")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as a video ({error.strerror}): it is truncated or not a video"
        ) from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{path} has no video stream")
    return container


def _decode(container: InputContainer) -> Iterator[av.VideoFrame]:
    """Frames until the end or the first one that is damaged; the caller counts them."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    with contextlib.suppress(av.error.FFmpegError):
        yield from container.decode(stream)


def _upright(frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
    image = frame.to_ndarray(format="rgb24")
    # PyAV gives the display matrix's rotation counter-clockwise, in degrees.
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _announced(stream: av.VideoStream) -> int:
    """Frames that the file says it has; 0 where it does not say."""
    if stream.frames:
        return int(stream.frames)
    if stream.duration and stream.average_rate:
        return int(stream.duration * stream.time_base * stream.average_rate)
    return 0


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
