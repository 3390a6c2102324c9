"""A first look at a whole video: which way up it is, where it is cut, and which faces are where.

Faces are looked for a few times a second, which is enough to choose one and to know where it will be; every frame is
compared with the one before it, and with those of the next seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int

from imavatar.data.video_facts import VideoFacts
from imavatar.data.video_file import open_video
from imavatar.preprocessing.detection import Box
from imavatar.preprocessing.face_identity import Identity
from imavatar.preprocessing.face_search import SeenFace
from imavatar.preprocessing.face_texture import Texture
from imavatar.preprocessing.gradual_changes import Thumb, find_gradual_changes, thumb
from imavatar.preprocessing.landmarks import Image, Points
from imavatar.preprocessing.shot_changes import Signature, is_cut, is_suspect, signature
from imavatar.preprocessing.upright import find_turn, turned
from imavatar.progress import track

LOOKS_A_SECOND = 5.0
USUAL_RATE = 25.0
"""Frames a second where that is not asked for."""
THOROUGH_LOOKS = 20
"""How often small faces are looked for in vain before a video is taken to have none where none is large."""

FLASH = 3
"""Frames of another picture, after which the one before goes on, that are no shot."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A face in a frame, and at which look: its box in pixels of the upright picture, its texture, and its identity."""

    frame: int
    look: int
    box: Box
    texture: Texture
    identity: Identity


@dataclass(frozen=True)
class FaceTellers:
    """What finds faces, and tells who they are.

    Args:
        search: picture, boxes of faces nearby, `thorough` -> its faces, the largest first.
        texture, identity: of a face in a picture, whose landmarks are given.
    """

    search: Callable[..., list[SeenFace]]
    texture: Callable[[Image, Points], Texture]
    identity: Callable[[Image, Points], Identity]


@dataclass
class Survey:
    """What a video shows.

    Args:
        turn: quarters, counter-clockwise, by which its pictures are turned.
        interval: every so many frames faces were looked for.
        height, width: of the turned pictures, pixels; of the first one, where they change.
        cuts: the first frames of all shots but the first.
        sightings: one list for each frame in which was looked, in their order.
        left_out: frames that are of no use, whatever face they show, and why.
        facts: what is known of the file.
    """

    path: Path
    turn: int
    interval: int
    height: int = 0
    width: int = 0
    n_frames: int = 0
    cuts: list[int] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    sightings: list[list[Sighting]] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)
    facts: VideoFacts | None = None


def survey_video(path: Path, tellers: FaceTellers, fps: float | None) -> Survey:
    """Look at a video.

    Args:
        fps: frames a second that are used; None: all.

    Raises:
        DataError: the video cannot be read.
    """
    turn = find_turn(path, tellers.search, fps)
    numbers: list[int] = []
    thumbs: list[Thumb] = []
    survey = Survey(path, turn, max(1, round((fps or USUAL_RATE) / LOOKS_A_SECOND)))
    look, before, video = _Looking(survey, tellers), None, open_video(path)
    for number, shown in enumerate(track(video.frames(fps), f"frames of {path.name} looked at")):
        survey.n_frames = number + 1
        if shown.image is None:
            survey.left_out[number] = shown.left_out
            continue
        frame = turned(shown.image, turn)
        if number == 0:
            survey.height, survey.width = frame.shape[:2]
        now = signature(frame)
        if before is not None and is_suspect(before[1], now):
            look.compare(number, *before, frame, now)
        elif number % survey.interval == 0:
            look.note(number, frame)
        before = frame, now
        numbers.append(number)
        thumbs.append(thumb(now.grey))
    survey.facts = video.facts
    for change in find_gradual_changes(thumbs, fps or survey.facts.fps):
        _leave_out(survey, numbers[change.first], numbers[change.last], change.reason)
    return survey


def _leave_out(survey: Survey, first: int, last: int, reason: str) -> None:
    """Part frames from the shots before and after, and forget what was seen in them."""
    ends = [frame for frame in (first, last + 1) if 0 < frame < survey.n_frames]
    survey.cuts = sorted({*ends, *(cut for cut in survey.cuts if not first <= cut <= last + 1)})
    survey.left_out |= {frame: reason for frame in range(first, last + 1) if frame not in survey.left_out}
    for k, look in enumerate(survey.looks):
        if first <= look <= last:
            survey.sightings[k] = []


class _Looking:
    """Looks for faces, near those of the last time, and thoroughly where there were none; compares them at cuts."""

    def __init__(self, survey: Survey, tellers: FaceTellers):
        self._survey, self._tellers = survey, tellers
        self._near: list[Box] = []
        self._vain = 0
        self._before_cut: tuple[Signature, list[Box]] | None = None

    def compare(
        self, number: int, before: Image, signature_before: Signature, now: Image, signature: Signature
    ) -> None:
        """Look at two frames in a row, and note whether there is a cut between them."""
        boxes_before = [face.box for face in self._tellers.search(before, self._near)]
        boxes = self.note(number, now)
        if not is_cut(signature_before, signature, boxes_before, boxes):
            return
        cuts = self._survey.cuts
        if (
            cuts
            and number - cuts[-1] <= FLASH
            and not is_cut(self._before_cut[0], signature, self._before_cut[1], boxes)
        ):
            cuts.pop()
        else:
            cuts.append(number)
            self._before_cut = signature_before, boxes_before

    def note(self, number: int, frame: Image) -> list[Box]:
        """Boxes of the faces of a frame, which become sightings."""
        thorough = not self._near and self._vain < THOROUGH_LOOKS
        found = self._tellers.search(frame, self._near, thorough=thorough)
        self._vain += thorough and not found
        self._near = [face.box for face in found]
        look = len(self._survey.looks)
        tell = self._tellers
        sightings = [
            Sighting(number, look, face.box, tell.texture(frame, face.points), tell.identity(frame, face.points))
            for face in found
        ]
        self._survey.looks.append(number)
        self._survey.sightings.append(sightings)
        return self._near


def shot_of_frames(survey: Survey) -> Int[np.ndarray, " n"]:
    """The number of each frame's shot."""
    return np.searchsorted(survey.cuts, np.arange(survey.n_frames), side="right")
