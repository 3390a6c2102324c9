"""A video to analysed frames: cropped and resized, with landmarks, matte and semantic labels.

Landmarks are found in all frames first: they decide which are used, and only of those is cut out the person.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int

from imavatar.data.video_times import DEFAULT_RATE
from imavatar.errors import DataError
from imavatar.preprocessing.crop import Crop
from imavatar.preprocessing.detection import Box
from imavatar.preprocessing.face_texture import Texture, correlation, group_means
from imavatar.preprocessing.face_tracks import NO_FACE, FollowedFace
from imavatar.preprocessing.footage import Footage
from imavatar.preprocessing.frame_cache import CachedFrame, FrameCache
from imavatar.preprocessing.frame_quality import (
    MIN_FRAMES,
    REPEATED,
    Change,
    LeftOut,
    Measures,
    counts_by_reason,
    judge,
    spread_over_reasons,
)
from imavatar.preprocessing.landmarks import FaceLandmarks, Image, Points
from imavatar.preprocessing.segmentation import Segments
from imavatar.preprocessing.survey import Survey
from imavatar.preprocessing.upright import upright_frames
from imavatar.progress import track

MIN_SHARE = 0.5
"""A smaller share of usable frames in the shots that show the face is not a recording of a head."""
MIN_CLIP = 5
"""Frames between two cuts below which a shot is not worth having: it is fitted as a recording of its own."""
SHORT_CLIP = "few frames between two cuts"
THUMBNAIL, MOST_THUMBNAILS = 96, 40
"""Side in pixels of the pictures that are kept of frames left out, and how many."""


@dataclass
class AnalysedVideo:
    """One recording: the frames that are used, and those that are left out, with the reasons.

    Args:
        survey: the first look at the video.
        principal_point: continuous pixels of the resized square: the middle of the whole video.
        scale: pixels of the resized square per pixel of the video.
        shot: of each frame read.
        landmarks, time: of the used frames, and their numbers in the video.
        not_chosen: how many more would have been of use.
        thumbnails: JPEG files of some frames left out, by number.
    """

    survey: Survey
    shot: Int[np.ndarray, " n"]
    cache: FrameCache
    crop: Crop
    principal_point: tuple[float, float]
    scale: float
    fps: float | None
    landmarks: list[FaceLandmarks] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    not_chosen: int = 0
    thumbnails: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def begun(cls, footage: Footage, cache: FrameCache, fps: float | None) -> "AnalysedVideo":
        """Nothing analysed yet."""
        survey, crop = footage.survey, footage.crop
        scale = cache.size / crop.side
        centre = ((survey.width / 2 - crop.x) * scale, (survey.height / 2 - crop.y) * scale)
        return cls(survey, footage.face.shot, cache, crop, centre, scale, fps)

    @property
    def path(self) -> Path:
        """The video's file."""
        return self.survey.path

    @property
    def n_read(self) -> int:
        """How many frames the video gave."""
        return len(self.shot)

    @property
    def clip(self) -> Int[np.ndarray, " k"]:
        """The shot of each used frame."""
        return self.shot[self.time]

    def shots(self) -> list[tuple[int, int]]:
        """First and last frame between two cuts."""
        starts = np.flatnonzero(np.diff(self.shot, prepend=self.shot[0] - 1))
        return list(zip(starts.tolist(), [*(starts[1:] - 1).tolist(), self.n_read - 1], strict=True))

    @property
    def rate(self) -> float:
        """Frames a second, as they are numbered."""
        return self.fps or (self.survey.facts.fps if self.survey.facts is not None else DEFAULT_RATE)

    @property
    def steps(self) -> Int[np.ndarray, " k"]:
        """Numbers of the used frames that count every different picture once.

        A video of fewer frames a second than are used repeats some of them. Between different pictures that follow each
        other none is missing.
        """
        repeated = [frame.frame for frame in self.left_out if frame.reason == REPEATED]
        return np.asarray(self.time, dtype=np.int64) - np.searchsorted(sorted(repeated), self.time)

    def keep(self, index: Sequence[int]) -> None:
        """Use these of the used frames only."""
        self.not_chosen += len(self.time) - len(index)
        self.landmarks = [self.landmarks[k] for k in index]
        self.time = [self.time[k] for k in index]

    def frames(self) -> Iterator[tuple[int, Image]]:
        """All frames of the video that have a picture, by number, cropped and resized."""
        for number, frame in upright_frames(self.path, self.fps, self.survey.turn):
            yield number, self.crop.apply(frame, self.cache.size)


class CachedFrames:
    """The cached frames of several videos, one video's after the other's."""

    def __init__(self, videos: Sequence[AnalysedVideo]):
        self._videos = videos
        self._first = np.cumsum([0, *(len(video.cache) for video in videos)])

    def __getitem__(self, index: int) -> CachedFrame:
        video = int(np.searchsorted(self._first, index, side="right")) - 1
        return self._videos[video].cache[int(index - self._first[video])]


def find_landmarks(
    video: AnalysedVideo,
    face: FollowedFace,
    find_face: Callable[[Image, Box], FaceLandmarks | None],
    texture: Callable[[Image, Points], Texture],
) -> None:
    """Decode a video and find the landmarks of its face in every frame; those of no use are left out with the reason.

    Args:
        find_face: of an image and the box where the face is expected; may use where the last face was.
        texture: of the face in an image.

    Raises:
        DataError: the video cannot be read, or too few frames show the face.
    """
    measures, corner, before = [], np.array([video.crop.x, video.crop.y] * 2), None
    usual = group_means(face.textures)
    unfit = video.survey.left_out
    video.left_out += [LeftOut(number, reason) for number, reason in unfit.items()]
    for number, frame in track(video.frames(), f"frames of {video.path.name} searched for landmarks"):
        change = Change.between(before, frame)
        before = frame
        if number in unfit:
            continue
        reason = face.reason(number)
        found = None if reason else find_face(frame, (face.boxes[number] - corner) * video.scale)
        if found is None:
            video.left_out.append(LeftOut(number, reason or NO_FACE))
        else:
            video.landmarks.append(found)
            video.time.append(number)
            alike = correlation(texture(frame, found.points)[None], usual)
            measures.append(Measures.of(frame, found, alike, change))
    _leave_out(video, judge(measures))
    clips, counts = np.unique(video.clip, return_counts=True)
    short = clips[counts < MIN_CLIP]
    if len(clips) > len(short):
        _leave_out(video, [(SHORT_CLIP, None) if clip in short else None for clip in video.clip])
    _check_faces(video, face)


def analyse_video(
    video: AnalysedVideo, segment: Callable[[Image, FaceLandmarks], Segments], begin: Callable[[], None]
) -> None:
    """Decode a video again, and cut the person out of the frames that are used, which go into its cache.

    Args:
        segment: gives matte and labels of the next frame that is used; may use those before it of the same shot.
        begin: called before the first frame of each shot.

    Raises:
        DataError: the video cannot be read, or the cache not be written.
    """
    shot = None
    faces = dict(zip(video.time, video.landmarks, strict=True))
    thumbnails = set(spread_over_reasons(video.left_out, MOST_THUMBNAILS))
    for number, frame in track(video.frames(), f"frames of {video.path.name} analysed", video.n_read):
        if number in thumbnails:
            video.thumbnails[number] = thumbnail(frame)
        if number in faces:
            if video.shot[number] != shot:
                shot = video.shot[number]
                begin()
            segments = segment(frame, faces[number])
            video.cache.append(CachedFrame(frame, segments.mask, segments.labels))


def thumbnail(frame: Image) -> bytes:
    """A small picture of a frame, a JPEG file."""
    small = cv2.resize(frame, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()


def _leave_out(video: AnalysedVideo, faults: Sequence[tuple[str, float | None] | None]) -> None:
    """Leave out those of the used frames that have a fault."""
    video.left_out += [
        LeftOut(number, *fault) for number, fault in zip(video.time, faults, strict=True) if fault is not None
    ]
    video.left_out.sort(key=lambda frame: frame.frame)
    kept = [k for k, fault in enumerate(faults) if fault is None]
    video.landmarks, video.time = [video.landmarks[k] for k in kept], [video.time[k] for k in kept]


def _check_faces(video: AnalysedVideo, face: FollowedFace) -> None:
    """Raise where too few frames show the face."""
    used, n_read = len(video.time), video.n_read
    # Shots without the face are as if they were cut off, and repeated and unfit pictures as if they were not there.
    in_shots = np.isin(video.shot, np.unique(video.shot[np.isfinite(face.boxes[:, 0])]))
    in_shots[list(video.survey.left_out)] = False
    different = int(in_shots.sum()) - sum(frame.reason == REPEATED for frame in video.left_out)
    if used < MIN_FRAMES or used < MIN_SHARE * different:
        reasons = ", ".join(f"{reason}: {n}" for reason, n in counts_by_reason(video.left_out).items())
        raise DataError(
            f"{video.path}: only {used} of {n_read} frames can be used ({reasons}); at least {MIN_FRAMES} frames and "
            f"{100 * MIN_SHARE:.0f} % of what shows the face are needed. Cut the video to where the face is in view, "
            "or choose another one with --face x,y or --crop x,y,side"
        )
