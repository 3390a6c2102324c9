"""When each frame of a video is shown: seconds from its first frame, whatever the stamps in the file do.

Stamps start again where files were joined byte by byte; then the next part goes on where the one before ended. Long
gaps are closed. Stamps that are missing or absurd are replaced by a constant rate.
"""

import bisect
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

MAX_GAP = 10.0
"""Seconds: a longer pause between two frames is not shown; the frame before would be repeated hundreds of times."""
LEAST_RATE, LARGEST_RATE = 1 / MAX_GAP, 1000.0
"""Frames a second that a video may have; other time stamps are not believed."""
DEFAULT_RATE = 25.0
"""Where nothing that can be believed says otherwise."""
NOTED_GAP = 0.5
"""Seconds without a frame, and more than four usual intervals, that are worth a word."""
MAX_DISORDER, MAX_REORDERING = 0.5, 2.0
"""Seconds by which times of decoding go back that a program has guessed; and times of showing, since frames are stored
before those that they are shown after."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Stamp:
    """What a file says of a frame: when it is shown, when it is decoded, for how long; seconds of the file's clock."""

    shown: float | None
    decoded: float | None
    duration: float = 0.0


class Part:
    """A stretch of a file whose clock runs on.

    Args:
        stamps: of the frames, rising.
        begin: when the first one is shown.
        interval: usual one between frames.
    """

    def __init__(self, stamps: list[float], begin: float, interval: float):
        self.first = stamps[0]
        self._from, self._shift = [stamps[0]], [begin - stamps[0]]
        self._gap_from = [-np.inf]
        self.closed: list[tuple[float, float]] = []
        """Where gaps were closed, in seconds of the video, and how long they are."""
        for before, after in itertools.pairwise(stamps):
            if after - before > MAX_GAP:
                shown = before + self._shift[-1] + interval
                self.closed.append((shown, after - before))
                self._gap_from.append(before + interval)
                self._from.append(after)
                self._shift.append(shown - after)

    def time(self, stamp: float) -> float | None:
        """When what has a stamp is shown; None within a closed gap."""
        index = max(bisect.bisect_right(self._from, stamp + 1e-6) - 1, 0)
        if index + 1 < len(self._gap_from) and stamp >= self._gap_from[index + 1]:
            return None
        return stamp + self._shift[index]


class Timeline:
    """The times of a whole video.

    Args:
        stamps: of the frames that are shown, in the order in which the file holds them.
        tick: seconds by which the file's clock advances.
        said_rate: frames a second that the file claims to have, 0: it says nothing.
        counted: the stamps are right, but in the order of storing: frames have them by their number.
    """

    def __init__(self, stamps: list[Stamp], tick: float, said_rate: float, *, counted: bool = False):
        self.counted = counted
        runs = [sorted(run) for run in _runs(stamps)]
        gaps = np.array([b - a for run in runs for a, b in itertools.pairwise(run)])
        usual = float(np.median(gaps)) if len(gaps) else stamps[-1].duration if stamps else 0.0
        is_absurd = not 1 / LARGEST_RATE <= usual <= 1 / LEAST_RATE
        self.invented = is_absurd or not runs
        """Whether the stamps aren't used: the rate is the said one, or the usual one of films."""
        if is_absurd:
            rate = said_rate if 1 <= said_rate <= LARGEST_RATE else DEFAULT_RATE
            usual = 1 / rate
        self.interval = usual
        """Seconds between frames, usually."""
        self.tolerance = 0.6 * tick if tick < usual / 4 else 0.0
        """Seconds by which stamps are rounded; a clock as slow as the frames counts them."""
        self.n_frames = len(stamps)
        last = stamps[-1].duration if stamps else 0.0
        held = last if usual / 2 <= last <= MAX_GAP else usual
        ends = [run[-1] + max(last, usual) for run in runs]
        spans = [run[-1] - run[0] + usual for run in runs]
        self.raw_seconds = max(sum(spans) + max(last - usual, 0.0), *ends) if runs else 0.0
        """At least so much of the file's own clock is filled."""
        self.parts: list[Part] = []
        self.shown: list[float] = []
        """When each frame is shown; empty where that is invented."""
        if self.invented:
            self.seconds = self.n_frames * usual
            return
        self.seconds = 0.0
        for run in runs:
            part = Part(run, self.seconds, usual)
            self.parts.append(part)
            self.shown += [time for time in map(part.time, run) if time is not None]
            self.seconds = self.shown[-1] + usual
        self.seconds += held - usual

    @property
    def rate(self) -> float:
        """Frames a second, in the mean."""
        return self.n_frames / self.seconds if self.n_frames else 0.0

    @property
    def is_variable(self) -> bool:
        """Whether more than one frame in twenty lasts longer or shorter than usual by more than a tenth."""
        gaps = np.diff(self.shown)
        off = np.abs(gaps - self.interval) > 0.1 * self.interval + 2 * self.tolerance
        return bool(len(gaps)) and bool(off.mean() > 0.05 or self._gaps())

    def _gaps(self) -> list[tuple[float, float]]:
        """Where frames are missing, and for how long, in seconds."""
        gaps = np.diff(self.shown)
        where = np.flatnonzero(gaps > max(NOTED_GAP, 4 * self.interval))
        return [(self.shown[index], float(gaps[index])) for index in where]

    def notes(self) -> list[str]:
        """What is unusual about the times, in sentences."""
        notes = []
        if self.invented:
            notes.append(f"Its time stamps are missing or absurd: {1 / self.interval:.4g} frames a second are assumed.")
        if len(self.parts) > 1:
            notes.append(f"Its time stamps start again: {len(self.parts)} parts are shown one after the other.")
        if closed := [gap for part in self.parts for gap in part.closed]:
            notes.append(f"{_gaps_in_words(closed)} was left out, since nothing is shown that long.")
        if gaps := self._gaps():
            notes.append(f"{_gaps_in_words(gaps)}: the picture before is held.")
        return notes

    def clock(self) -> "Clock":
        """For the frames or the sound, from the beginning."""
        return Clock(self)


class Clock:
    """Gives times to what is decoded, in the order in which it is shown or heard."""

    def __init__(self, timeline: Timeline):
        self._timeline = timeline
        self._part, self._stamp, self._time = 0, -np.inf, -timeline.interval
        self._first: float | None = None
        self._n_frames = 0

    def frame(self, stamp: float | None) -> float:
        """Seconds from the first frame; of a frame without a stamp, one interval after the one before."""
        times, number = self._timeline.shown, self._n_frames
        self._n_frames += 1
        if self._timeline.counted:
            found = times[number] if number < len(times) else None
        else:
            found = None if stamp is None or self._timeline.invented else self.sound(stamp)
        self._time = self._time + self._timeline.interval if found is None else max(found, self._time)
        return self._time

    def sound(self, stamp: float) -> float | None:
        """Seconds from the first frame of what has a stamp; None where it is not shown."""
        parts = self._timeline.parts
        if stamp < self._stamp and self._part + 1 < len(parts):
            self._part += 1
        self._stamp = stamp
        if parts:
            return parts[self._part].time(stamp)
        # What can't be believed about the frames may be true of the sound: it begins with them.
        self._first = stamp if self._first is None else self._first
        return stamp - self._first


def shown_at(
    frames: Iterable[tuple[float, Item]], end: float, fps: float, tolerance: float
) -> Iterator[tuple[float, Item]]:
    """Of each instant, `fps` a second, the frame that is shown then, and the instant.

    Args:
        frames: with the seconds from which they are shown, rising.
        end: until when the last one is shown.
        fps: instants a second; the first is 0.
        tolerance: seconds by which the times may be late.
    """
    count = 0
    # Instants are rounded too.
    tolerance = max(tolerance, 0.01 / fps)
    shown: Item | None = None
    for begin, item in frames:
        while shown is not None and count / fps < begin - tolerance:
            yield count / fps, shown
            count += 1
        shown = item
    while shown is not None and count / fps < end - tolerance:
        yield count / fps, shown
        count += 1


def _runs(stamps: list[Stamp]) -> Iterator[list[float]]:
    """The stamps of each part that was joined."""
    run: list[float] = []
    first = before = None
    for stamp in stamps:
        shown = stamp.decoded if stamp.shown is None else stamp.shown
        if shown is None:
            continue
        if first is not None and before is not None and _starts_again(first, before, stamp):
            yield run
            run = []
        if not run:
            first = stamp
        before = stamp
        run.append(shown)
    if run:
        yield run


def _starts_again(first: Stamp, before: Stamp, stamp: Stamp) -> bool:
    """Whether a frame begins a part.

    Then the clock goes back, to where the part before began, or further than the order of storing explains.

    Args:
        first: of the frames of the part before.
        before: the frame that is stored before it.
        stamp: the frame.
    """
    if first.decoded is not None and before.decoded is not None and stamp.decoded is not None:
        begin, last, now, most = first.decoded, before.decoded, stamp.decoded, MAX_DISORDER
    else:
        begin, last, now = (s.decoded if s.shown is None else s.shown for s in (first, before, stamp))
        most = MAX_REORDERING
    return now < last and (now <= begin or now < last - most)


def _gaps_in_words(gaps: list[tuple[float, float]]) -> str:
    where, length = gaps[0]
    more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
    return f"A gap of {length:.1f} s at {where:.1f} s{more}"
