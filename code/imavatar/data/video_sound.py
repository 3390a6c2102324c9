"""The sound of a video, in step with its frames as `data.video_file` gives them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from jaxtyping import Float

from imavatar.data.video_container import Contents, Decoding, open_container, video_stream

CODEC = "aac"
STEP = 1024
"""Samples that are encoded at once, where the encoder doesn't say."""
JUMP = 0.02
"""Seconds by which stamps may differ from what has been heard so far before they are followed."""


class Sound:
    """The first sound of a video.

    Raises:
        DataError: the video is missing, or is none.
    """

    def __init__(self, path: Path):
        self.path = path
        with open_container(path) as container:
            self._timeline = Contents.of(container, video_stream(container, path)).timeline
            stream = next(iter(container.streams.audio), None)
            self.rate = 0 if stream is None else stream.rate
            """Samples a second; 0: the video is silent."""
            self.layout = "" if stream is None else stream.layout.name

    def at_frames(self, times: Sequence[float], fps: float) -> Float[np.ndarray, "channels n"]:
        """What is heard during frames that are shown one after the other.

        Args:
            times: of the frames in the video, seconds from its first frame. Where one doesn't follow the other, neither
                does the sound.
            fps: frames a second.
        """
        begin = min(times)
        heard = self.stretch(begin, max(times) + 1 / fps - begin)
        parts = []
        for first, last in _runs(times, fps):
            at = round((times[first] - begin) * self.rate)
            # Rounded over the whole, so that no sample is lost.
            length = round((last + 1) / fps * self.rate) - round(first / fps * self.rate)
            part = heard[:, at : at + length]
            parts.append(np.pad(part, ((0, 0), (0, length - part.shape[1]))))
        return np.concatenate(parts, axis=1)

    def stretch(self, begin: float, seconds: float) -> Float[np.ndarray, "channels n"]:
        """What is heard from a time on, seconds from the first frame; silence where there is nothing."""
        length, heard, end = round(seconds * self.rate), None, 0
        for time, samples in self._decoded():
            if heard is None:
                heard = np.zeros((len(samples), length), np.float32)
            at = end if time is None else round((time - begin) * self.rate)
            # Stamps are coarser than samples.
            at = end if abs(at - end) < JUMP * self.rate else at
            end = at + samples.shape[1]
            if at > length and len(self._timeline.parts) < 2:
                break
            kept = slice(max(at, 0), max(min(end, length), 0))
            heard[:, kept] = samples[:, kept.start - at : kept.stop - at] if kept.stop > kept.start else 0
        return np.zeros((1, length), np.float32) if heard is None else heard

    def _decoded(self) -> Iterator[tuple[float | None, Float[np.ndarray, "channels n"]]]:
        """Samples, and when they are heard; without what belongs to no frame."""
        clock = self._timeline.clock()
        with open_container(self.path) as container:
            stream = container.streams.audio[0]
            resampler, kind = None, None
            for frame in Decoding(container, stream):
                if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
                    resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=self.rate)
                time = None if frame.pts is None else clock.sound(float(frame.pts * stream.time_base))
                if time is None and frame.pts is not None:
                    continue
                for part in resampler.resample(frame):
                    yield time, part.to_ndarray()
                    time = None


def encode_sound(
    container: OutputContainer, stream: av.AudioStream, samples: Float[np.ndarray, "channels n"], layout: str
) -> None:
    """Write samples as the whole of a stream."""
    step = stream.codec_context.frame_size or STEP
    for begin in range(0, samples.shape[1], step):
        part = np.ascontiguousarray(samples[:, begin : begin + step])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = stream.rate, begin
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _runs(times: Sequence[float], fps: float) -> Iterator[tuple[int, int]]:
    """The first and the last of frames that follow each other."""
    breaks = [i for i in range(1, len(times)) if abs(times[i] - times[i - 1] - 1 / fps) > 0.1 / fps]
    yield from zip([0, *breaks], [*(i - 1 for i in breaks), len(times) - 1], strict=True)
