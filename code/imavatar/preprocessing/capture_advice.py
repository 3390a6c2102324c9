"""What a recording lacks for a good avatar, measured in its track (docs/capture.md)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from imavatar.head.apertures import LIDS, LIPS, blinks
from imavatar.preprocessing.face_looks import FaceLooks
from imavatar.preprocessing.left_out import LeftOut
from imavatar.preprocessing.track_curves import TrackCurves

LEAST_FRAMES = 200
LEAST_FACE = 200.0
"""Pixels of the video from the forehead to the chin."""
MOST_LEFT_OUT, MOST_BLURRED = 0.1, 0.1
"""Shares of the frames."""
LEAST_BRIGHTNESS = 50.0
MOST_LIGHT_CHANGE = 0.35
"""Of the face's usual brightness: turns before a lamp make a quarter."""
STILL = 5.0
"""Degrees within which nine tenths of the frames are where a head is held still."""
LEAST_YAW, LEAST_PITCH = 20.0, 10.0
"""Degrees to either side of the camera, and from the usual pitch: a head model's own level is a matter of taste."""
LEAST_APPROACH = 1.25
"""Farthest over nearest distance: less tells little of the focal length."""
LEAST_BLINKS, MISSING = 3, 4
"""Blinks, and frames that may be missing in one."""
OPEN_MOUTH, CLOSED_LIPS = 0.12, 0.012
"""Distances of the lips' inner edges, of the face's height."""
LEAST_CLOSED = 0.05
"""Share of the frames."""
SMILE, PUCKER, RAISED_BROWS = 1.12, 0.9, 1.15
"""Widths of the mouth, and heights of the brows above the eyes, over the usual ones."""
LEAST_GAZE = (25.0, 12.0)
"""Degrees between the extremes, sideways and up and down."""
EXTREMES = (1, 99)
"""Percentiles: a frame or two may be mistaken."""
FRONTAL, LEVEL, LEAST_FRONTAL = 20.0, 6.0, 10
"""Degrees of yaw, and of pitch from the usual one, within which mouth and brows are measured, in so many frames."""


@dataclass(frozen=True)
class Capture:
    """What is known of the recording besides the track.

    Attributes:
        face_pixels: usual height of the face in pixels of the video, from the forehead to the chin.
        frames_read: of all videos.
        left_out: those of them that are not used.
        looks: None where the frames are not at hand.
    """

    face_pixels: float
    frames_read: int
    left_out: Sequence[LeftOut] = ()
    looks: FaceLooks | None = None


@dataclass(frozen=True)
class Advice:
    """One thing that was looked for in a recording.

    Attributes:
        topic: a word for it, such as `blinks`.
        found: what was measured, a sentence without its full stop.
        asked: what to do in the next recording, likewise.
        lacking: whether the recording has too little (or too much) of it.
    """

    topic: str
    found: str
    asked: str
    lacking: bool

    def __str__(self) -> str:
        return f"{self.found}: {self.asked}."


def capture_advice(curves: TrackCurves, capture: Capture) -> list[Advice]:
    """What the recording lacks, most important first."""
    return [advice for advice in capture_checks(curves, capture) if advice.lacking]


def capture_checks(curves: TrackCurves, capture: Capture) -> list[Advice]:
    """All that is looked for, whether it lacks or not."""
    shown = curves.rows(curves.valid) if curves.valid.any() else curves
    return [*_pictures(shown, capture), *_motion(shown), *_face(shown)]


def _pictures(curves: TrackCurves, capture: Capture) -> Iterator[Advice]:
    """How many frames there are, and what they are like."""
    n, size = len(curves), capture.face_pixels
    yield Advice(
        "frames",
        f"{n} frames could be used",
        f"record 30 to 60 seconds, at least {LEAST_FRAMES} frames",
        n < LEAST_FRAMES,
    )
    yield Advice(
        "face size",
        f"The face is {size:.0f} pixels high in the video",
        f"come nearer or use a higher resolution, so that it has at least {LEAST_FACE:.0f}",
        size < LEAST_FACE,
    )
    left = len(capture.left_out) / max(capture.frames_read, 1)
    yield Advice(
        "left-out frames",
        f"{100 * left:.0f} % of the frames had to be left out",
        "keep the whole face in the picture and uncovered, and move slowly",
        left > MOST_LEFT_OUT,
    )
    if capture.looks is None:
        return
    unsharp = sum("blur" in frame.reason.lower() for frame in capture.left_out) / max(capture.frames_read, 1)
    blurred = unsharp + (1 - unsharp) * capture.looks.blurred_share
    yield Advice(
        "blur",
        f"{100 * blurred:.0f} % of the frames are blurred",
        "move more slowly, and use more light, so that the exposure is short",
        blurred > MOST_BLURRED,
    )
    yield from _light(capture.looks)


def _light(looks: FaceLooks) -> Iterator[Advice]:
    low, usual, high = np.percentile(looks.brightness, [5, 50, 95]).tolist()
    change = (high - low) / max(usual, 1.0)
    yield Advice(
        "darkness",
        f"The face's brightness is {usual:.0f} of 255",
        "use more light, from the front",
        usual < LEAST_BRIGHTNESS,
    )
    yield Advice(
        "light",
        f"The face's brightness changes by {100 * change:.0f} %",
        "lock the exposure, stay in one place, and avoid lamps and windows at your side",
        change > MOST_LIGHT_CHANGE,
    )


def _motion(curves: TrackCurves) -> Iterator[Advice]:
    """What the head does as a whole."""
    yaw, pitch, _ = curves.rotation.T
    spread = max(float(np.ptp(np.percentile(angle, [5, 95]))) for angle in (yaw, pitch))
    if spread < STILL:
        found = f"The head stays within {spread:.0f}° nearly all the time"
        yield Advice("turns", found, "turn it slowly to both sides, up and down", True)
    else:
        yield from _turns(yaw, pitch - np.median(pitch))
    near, far = np.percentile(curves.position[:, 2], EXTREMES).tolist()
    approach = far / max(near, 1e-6)
    yield Advice(
        "distance",
        f"The head's farthest distance is {approach:.2f} times its nearest",
        f"lean towards the camera and back, to {LEAST_APPROACH:g} times; it shows the focal length",
        approach < LEAST_APPROACH,
    )


def _turns(yaw: Float[np.ndarray, " n"], pitch: Float[np.ndarray, " n"]) -> Iterator[Advice]:
    for topic, angle, least, way in (
        ("left", yaw, LEAST_YAW, "to the person's left"),
        ("right", -yaw, LEAST_YAW, "to the person's right"),
        ("up", pitch, LEAST_PITCH, "up"),
        ("down", -pitch, LEAST_PITCH, "down"),
    ):
        most = max(float(np.percentile(angle, EXTREMES[1])), 0.0)
        # Rounded down: 19.7 are not the 20 that are asked.
        found = f"The head turns by at most {math.floor(most + 0.05)}° {way}"
        yield Advice(f"turn {topic}", found, f"turn it slowly by {least:.0f}° or more", most < least)


def _face(curves: TrackCurves) -> Iterator[Advice]:
    """What the face does."""
    n_blinks = _count_blinks(curves)
    yield Advice(
        "blinks",
        f"The eyes close {_times(n_blinks)}",
        f"blink naturally, at least {_times(LEAST_BLINKS)}, and close the eyes for two seconds",
        n_blinks < LEAST_BLINKS,
    )
    sideways, upwards = (float(np.ptp(np.percentile(curves.gaze[..., k].mean(axis=1), EXTREMES))) for k in (0, 1))
    for topic, angle, least, asked in (
        ("gaze sideways", sideways, LEAST_GAZE[0], "look to the left and right without turning the head"),
        ("gaze up and down", upwards, LEAST_GAZE[1], "look up and down without turning the head"),
    ):
        way = topic.removeprefix("gaze ")
        yield Advice(
            topic, f"The eyes move over {angle:.0f}° {way}", f"{asked}, over {least:.0f}° or more", angle < least
        )
    yield from _lips(curves)
    yield from _expressions(curves)


def _lips(curves: TrackCurves) -> Iterator[Advice]:
    lips = curves.detected[:, LIPS]
    open_most, closed = float(np.percentile(lips, EXTREMES[1])), float((lips < CLOSED_LIPS).mean())
    yield Advice(
        "open mouth",
        f"The lips are apart by at most {100 * open_most:.0f} % of the face's height",
        f"open the mouth wide, to {100 * OPEN_MOUTH:.0f} % or more, and show the teeth",
        open_most < OPEN_MOUTH,
    )
    yield Advice(
        "closed lips",
        f"The lips are closed in {100 * closed:.0f} % of the frames",
        "keep the mouth closed for a few seconds, and say words with m, b and p",
        closed < LEAST_CLOSED,
    )


def _expressions(curves: TrackCurves) -> Iterator[Advice]:
    yaw, pitch = np.abs(curves.rotation[:, 0]), np.abs(curves.rotation[:, 1] - np.median(curves.rotation[:, 1]))
    narrow, wide = _over_usual(curves.mouth_width, yaw < FRONTAL)
    _, raised = _over_usual(curves.brow_height, (yaw < FRONTAL) & (pitch < LEVEL))
    yield Advice(
        "smile",
        f"The mouth gets {100 * (wide - 1):.0f} % wider than usual",
        f"smile broadly, with closed lips and with teeth: {100 * (SMILE - 1):.0f} % or more",
        wide < SMILE,
    )
    yield Advice(
        "pucker",
        f"The mouth gets {100 * (1 - narrow):.0f} % narrower than usual",
        f"pucker the lips, and say o and u: {100 * (1 - PUCKER):.0f} % or more",
        narrow > PUCKER,
    )
    yield Advice(
        "brows",
        f"The brows get {100 * (raised - 1):.0f} % higher above the eyes than usual",
        f"raise the brows, and frown: {100 * (RAISED_BROWS - 1):.0f} % or more",
        raised < RAISED_BROWS,
    )


def _over_usual(values: Float[np.ndarray, " n"], frontal: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """The extremes over the median, of frontal frames if there are enough."""
    chosen = values[frontal] if frontal.sum() >= LEAST_FRONTAL else values
    low, high = np.percentile(chosen, EXTREMES) / np.median(chosen)
    return float(low), float(high)


def _count_blinks(curves: TrackCurves) -> int:
    """In all recordings; of both eyes together. A frame or two that are missing do not make two blinks of one."""
    lids, count = curves.detected[:, LIDS].mean(axis=1), 0
    for video in np.unique(curves.video):
        rows = curves.video == video
        step = np.where(np.diff(curves.time[rows]) <= MISSING + 1, 1, 2)
        count += len(blinks(lids[rows], np.concatenate([[0], np.cumsum(step)])))
    return count


def _times(count: int) -> str:
    return "never" if count == 0 else "once" if count == 1 else f"{count} times"
