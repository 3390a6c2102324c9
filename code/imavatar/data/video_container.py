"""Opening a video file, the stream in it that is the video, and decoding."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer

from imavatar.data.video_times import Stamp, Timeline
from imavatar.errors import DataError

NO_VIDEO = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
"""Streams of pictures that are no video: cover art, previews."""
PICTURE_CODECS = ("mjpeg", "png", "bmp", "webp")
LOST_SHARE = 0.1
"""A file that lacks more than this share of what it announces is called truncated."""
SAY_LENGTHS = ("mov,mp4,m4a,3gp,3g2,mj2", "avi")
"""Containers that hold the length of each stream; others say the longest one's of all."""
UNORDERED = ("avi",)
"""Containers that hold no times of showing, which differ from the times of decoding in most codecs."""
MANY_BYTES = 1 << 16
"""Less than this behind the last frame is an index."""
STILL_PICTURES = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif"}
"""Brands of files of one picture, in the container of videos."""
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""What decodes transparency where the usual decoder doesn't."""


def open_container(path: Path) -> InputContainer:
    """An opened video file; the caller closes it.

    Raises:
        DataError: missing, or not a video.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder, expected a video file")
    if not path.exists():
        raise DataError(f"{path} does not exist, expected a video file")
    try:
        with path.open("rb") as file:
            head = file.read(12)
        if head[4:8] == b"ftyp" and head[8:] in STILL_PICTURES:
            raise DataError(
                f"{path} is a still picture (HEIC or AVIF), expected a video; convert pictures to JPEG or PNG"
            )
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as a video ({error.strerror}): it is truncated or not a video"
        ) from error
    try:
        video_stream(container, path)
    except DataError:
        container.close()
        raise
    return container


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """The first video stream that is no cover picture; of still pictures only where there is no other.

    Raises:
        DataError: there is none.
    """
    streams = [s for s in container.streams.video if not s.disposition & NO_VIDEO and s.codec_context is not None]
    if streams:
        # Not every container can say that a picture is a cover.
        return next((stream for stream in streams if stream.codec_context.name not in PICTURE_CODECS), streams[0])
    found = "only a cover picture, no video stream" if container.streams.video else "no video stream"
    raise DataError(f"{path} has {found}")


@dataclass(frozen=True)
class Contents:
    """What a file holds and what it says of itself.

    Attributes:
        timeline: of the frames that are shown.
        announced: how many frames the file says it shows; 0: it doesn't say.
        unread_share: of the file's bytes, those behind what belongs to the video; 0 where it isn't known.
    """

    timeline: Timeline
    announced: int
    unread_share: float = 0.0

    @classmethod
    def of(cls, container: InputContainer, stream: av.VideoStream) -> "Contents":
        """Read a file once without decoding it."""
        stamps, n_hidden, end, tick = [], 0, 0, float(stream.time_base or 0)
        with contextlib.suppress(av.error.FFmpegError):
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                end = max(end, (packet.pos or 0) + packet.size)
                if packet.is_discard:
                    n_hidden += 1
                    continue
                shown, decoded = (None if t is None else float(t * tick) for t in (packet.pts, packet.dts))
                stamps.append(Stamp(shown, decoded, float((packet.duration or 0) * tick)))
        counted = container.format.name in UNORDERED
        timeline = Timeline(stamps, tick, float(stream.average_rate or 0), counted=counted)
        unread = container.size - end if end else 0
        share = unread / container.size if unread > MANY_BYTES else 0.0
        return cls(timeline, _announced(container, stream, timeline, n_hidden), share)

    def check(self, n_decoded: int, path: Path) -> None:
        """See that the file was whole.

        Raises:
            DataError: no frame, or much fewer than announced, could be decoded.
        """
        if n_decoded == 0:
            raise DataError(f"{path}: no frame can be decoded; convert the video to MP4 (H.264)")
        expected = max(self.announced, self.timeline.n_frames)
        if n_decoded < (1 - LOST_SHARE) * expected:
            raise DataError(
                f"{path}: only {n_decoded} of {expected} frames can be decoded: the file is truncated or damaged; "
                "copy or record it again"
            )


def _announced(container: InputContainer, stream: av.VideoStream, timeline: Timeline, n_hidden: int) -> int:
    """The least of what the file claims: an edit list makes its count too large, an absurd clock its duration."""
    claims = []
    if stream.frames:
        claims.append(int(stream.frames) - n_hidden)
    seconds = _said_seconds(container, stream)
    if seconds and not timeline.invented:
        # A clock that starts again, and gaps that are closed, aren't lost frames.
        claims.append(round(timeline.n_frames + max(0.0, seconds - timeline.raw_seconds) / timeline.interval))
    return max(0, min(claims, default=0))


def _said_seconds(container: InputContainer, stream: av.VideoStream) -> float:
    """How long the stream is by the file's own words; 0: not said."""
    if stream.duration and stream.time_base and container.format.name in SAY_LENGTHS:
        return float(stream.duration * stream.time_base)
    if said := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, said.groups())
        return 3600 * hours + 60 * minutes + seconds
    # The longest stream's.
    alone = len(container.streams) == 1 and container.duration is not None
    return container.duration / av.time_base if alone and container.duration else 0.0


class Decoding:
    """Decodes a stream; what is damaged is left out, and counted.

    Attributes:
        decoder: what decodes it.
        n_damaged: packets that could not be decoded so far.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream | av.AudioStream):
        self.decoder = decoder_of(stream)
        self.decoder.thread_type = "AUTO"
        self.n_damaged = 0
        self._packets = container.demux(stream)

    def __iter__(self) -> Iterator[av.VideoFrame | av.AudioFrame]:
        while True:
            try:
                packet = next(self._packets)
            except (StopIteration, av.error.FFmpegError):
                # A file that breaks off has frames in the decoder still.
                packet = None
            try:
                yield from self.decoder.decode(packet)
            except av.error.FFmpegError:
                self.n_damaged += packet is not None
            if packet is None or packet.size == 0:
                return


def decoder_of(stream: av.VideoStream | av.AudioStream) -> av.CodecContext:
    """The stream's decoder; where it has transparency, one that decodes this too, if there is one."""
    name = ALPHA_DECODERS.get(stream.codec_context.name, "")
    if has_hidden_alpha(stream) and name in av.codecs_available:
        return av.CodecContext.create(name, "r")
    return stream.codec_context


def has_hidden_alpha(stream: av.VideoStream | av.AudioStream) -> bool:
    """Whether the transparency is a second picture beside the first, as WebM has it."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
