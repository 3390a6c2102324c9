"""Video files of every kind that a test needs, written by PyAV and changed byte by byte."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICK = Fraction(1, 1000)
IDENTITY = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def greys(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Plain pictures; frame k has the grey 20 + 4 k, so that a decoded one tells its number."""
    return [np.full((height, width, 3), 20 + 4 * k, dtype=np.uint8) for k in range(count)]


def number_of(image: np.ndarray) -> int:
    """Which of `greys` it is."""
    return round((float(image.mean()) - 20) / 4)


def write(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    *,
    times: Sequence[int] | None = None,
    rate: int = 25,
    pix_fmt: str = "yuv420p",
    **context,
) -> Path:
    """Encode frames, `rate` a second.

    Args:
        times: milliseconds at which they are shown instead.
        context: attributes of the codec's context; `options` and `metadata` of the stream, `tags` and
            `container_options` of the container.
    """
    with av.open(str(path), "w", options=context.pop("container_options", {})) as container:
        container.metadata.update(context.pop("tags", {}))
        stream = container.add_stream(codec, rate=rate, options=context.pop("options", {}))
        stream.metadata.update(context.pop("metadata", {}))
        first = frames[0] if isinstance(frames[0], av.VideoFrame) else _frame(frames[0])
        stream.height, stream.width, stream.pix_fmt = first.height, first.width, pix_fmt
        if times is not None:
            stream.time_base = stream.codec_context.time_base = TICK
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for number, pixels in enumerate(frames):
            frame = pixels if isinstance(pixels, av.VideoFrame) else _frame(pixels)
            # The same frame may be given several times.
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, rate) if times is None else TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _frame(pixels: np.ndarray) -> av.VideoFrame:
    kind = ("rgba" if pixels.shape[2] == 4 else "rgb24") + ("64le" if pixels.dtype == np.uint16 else "")
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=kind)


def set_display_matrix(path: Path, matrix: Sequence[int]) -> None:
    """Replace the display matrix of an MP4 file's only track."""
    content = path.read_bytes()
    old = struct.pack(">9i", *IDENTITY)
    at = content.index(old, content.index(b"tkhd"))
    path.write_bytes(content[:at] + struct.pack(">9i", *matrix) + content[at + len(old) :])


def hide_frames(path: Path, first: int, count: int) -> None:
    """Let the edit list of an MP4 file of 25 frames a second show `count` frames from `first` on."""
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 4
    (entries,) = struct.unpack_from(">I", content, at + 4)
    assert entries == 1
    movie = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)[0]
    media = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)[0]
    begin = struct.unpack_from(">i", content, at + 12)[0]
    struct.pack_into(">Ii", content, at + 8, count * movie // 25, begin + first * media // 25)
    path.write_bytes(content)


def planes(kind: str, rows: Sequence[np.ndarray], **tags) -> av.VideoFrame:
    """A frame of given planes; `tags` are its colorspace and color_range."""
    frame = av.VideoFrame(rows[0].shape[1], rows[0].shape[0], kind)
    for plane, row in zip(frame.planes, rows, strict=True):
        stored = np.zeros((plane.height, plane.line_size // row.itemsize), row.dtype)
        stored[:, : row.shape[1]] = row
        plane.update(stored.tobytes())
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame
