"""Frames of the videos that are not in the recordings, and why."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOut:
    """A frame that was left out.

    Attributes:
        video: name of the video's file.
        frame: number in the video at the rate of the recording, from 0 on.
        reason: for the user, with the number that was measured.
        thumbnail: a small picture of it as a JPEG file's bytes; None: none was kept.
    """

    video: str
    frame: int
    reason: str
    thumbnail: bytes | None = None
