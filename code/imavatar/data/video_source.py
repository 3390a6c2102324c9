"""A video file as the source of pictures: decoded, put into time, and brought into shape."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av

from imavatar.data.deinterlacing import Deinterlacing
from imavatar.data.video_container import Contents, Decoding, decoder_of, has_hidden_alpha, open_container, video_stream
from imavatar.data.video_facts import Camera, VideoFacts, looks_like_phone
from imavatar.data.video_picture import Colours, Conversion, Image, believed_aspect, orientation_of, square_pixels
from imavatar.data.video_times import shown_at
from imavatar.data.video_tone import SDR

UNREAD_SHARE = 0.25
"""Of a file's bytes: a larger share behind the last frame is worth a word."""


class FileSource:
    """The frames of a video file.

    Raises:
        DataError: missing, not a video, or nothing in it can be decoded.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            self._contents = Contents.of(container, stream)
            # What streams say of the camera is more particular.
            self._camera = Camera.of({**container.metadata, **stream.metadata})
            stored_aspect = float(stream.sample_aspect_ratio or 1)
            self._decodes_alpha = not has_hidden_alpha(stream) or decoder_of(stream) is not stream.codec_context
        self._aspect = believed_aspect(stored_aspect)
        self._notes = self._contents.timeline.notes()
        if not self._decodes_alpha:
            self._notes.append("Its transparency cannot be decoded here: what it hides is seen.")
        if self._contents.unread_share > UNREAD_SHARE:
            share = round(100 * self._contents.unread_share)
            self._notes.append(
                f"{share} % of it, behind the last frame, cannot be read: several files joined into one?"
            )
        if self._aspect != stored_aspect:
            self._notes.append(f"Its pixels cannot be {stored_aspect:.3g} times as wide as high: taken as square.")
        self._alpha = self._interlaced = False
        self._n_damaged, self._colour_numbers = 0, (0, 0)
        self._conversion = Conversion()
        self._facts = self._first_facts()

    @property
    def facts(self) -> VideoFacts:
        """What is known so far."""
        notes = list(self._notes)
        if self._interlaced:
            notes.append("It is interlaced: lines of another instant were replaced.")
        if self._alpha:
            notes.append("It is partly transparent: laid on white.")
        if self._n_damaged:
            notes.append(f"{self._n_damaged} of its frames are damaged: the picture before is held.")
        return replace(self._facts, notes=notes, interlaced=self._interlaced, alpha=self._alpha)

    def instants(self, fps: float | None) -> Iterator[tuple[float, int, av.VideoFrame]]:
        """When a frame is shown, seconds from the first one; its number among all; the frame as decoded.

        Args:
            fps: instants a second; None: each frame once.

        Raises:
            DataError: the file is truncated; known at its end.
        """
        timeline = self._contents.timeline
        frames = ((time, (number, frame)) for number, (time, frame) in enumerate(self._timed()))
        shown = frames if fps is None else shown_at(frames, timeline.seconds, fps, timeline.tolerance)
        for time, (number, frame) in shown:
            yield time, number, frame

    def picture(self, frame: av.VideoFrame) -> Image:
        """The upright picture with square pixels."""
        image, is_transparent = self._conversion.rgb(frame, Colours.of(frame, *self._colour_numbers))
        self._alpha = self._alpha or is_transparent
        return orientation_of(frame).apply(square_pixels(image, self._aspect))

    def _first_facts(self) -> VideoFacts:
        """What the first frame and the file's own words tell."""
        timeline, frames = self._contents.timeline, self._decoded()
        with contextlib.closing(frames):
            frame, _ = next(frames, (None, None))
        if frame is None:
            self._contents.check(0, self.path)
        colours, orientation = Colours.of(frame, *self._colour_numbers), orientation_of(frame)
        height, width = self.picture(frame).shape[:2]
        if colours.transfer != SDR:
            self._notes.append(f"It is of high dynamic range ({colours.transfer}): tone-mapped to BT.709.")
        elif colours.is_wide:
            self._notes.append("Its colours are of a wide gamut: brought to BT.709.")
        if orientation.is_rounded:
            degrees, turned = round(orientation.degrees), 90 * orientation.turns
            self._notes.append(f"It asks to be turned by {degrees} degrees: turned by {turned}.")
        return VideoFacts(
            name=self.path.name,
            width=width,
            height=height,
            seconds=round(timeline.seconds, 3),
            frames=timeline.n_frames,
            fps=round(timeline.rate, 3),
            variable_rate=timeline.is_variable,
            rotation=90 * orientation.turns,
            mirrored=orientation.mirrored,
            pixel_aspect=self._aspect,
            transfer=colours.transfer,
            bit_depth=colours.bits,
            camera=self._camera,
            phone=looks_like_phone(self._camera, width, height, orientation.turns),
        )

    def _timed(self) -> Iterator[tuple[float, av.VideoFrame]]:
        clock, n_decoded = self._contents.timeline.clock(), 0
        for frame, stamp in self._decoded():
            n_decoded += 1
            yield clock.frame(stamp), frame
        self._contents.check(n_decoded, self.path)

    def _decoded(self) -> Iterator[tuple[av.VideoFrame, float | None]]:
        """The frames and their stamps, seconds of the file's clock."""
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            decoding, deinterlacing = Decoding(container, stream), Deinterlacing(stream.time_base)
            for frame in deinterlacing(decoding):
                self._colour_numbers = int(decoding.decoder.color_trc), int(decoding.decoder.color_primaries)
                self._interlaced, self._n_damaged = deinterlacing.found, decoding.n_damaged
                # Filters have clocks of their own.
                yield frame, None if frame.pts is None else float(frame.pts * frame.time_base)
