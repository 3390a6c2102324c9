"""Where one picture passes gradually into another: cross-fades, and fades to or from a plain picture.

The frames of such a change are mixtures of the picture before and the one after, all with the same share everywhere,
and so have less contrast than both: what moves keeps its contrast, and changes at one place after the other. Pictures
are compared after coarse brightness is taken from them, and local contrast too where it counts whether they are
different ones: else a light that goes on slowly would be a cross-fade. Between two takes of the same scene, of which
only a small part differs, nothing is found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

CROSS_FADE = "cross-fade"
FADE = "fade to or from a plain picture"

THUMB = 32
LIGHT = THUMB / 8
"""Standard deviation in pixels of a thumb: what is coarser is taken for light."""
RATE = 25.0
"""Frames a second that are compared, at most."""
SHORTEST, LONGEST = 0.25, 2.5
"""Seconds between the last frame of the one picture and the first of the other."""
LEAST_FRAMES = 4
"""The same in frames."""
GROWTH = 1.08
"""From one length that is tried to the next."""
ANOTHER_PICTURE = 0.4
"""One less the correlation of two thumbs: 0.6 to 0.9 between different recordings of faces, up to 0.25 where the light
wanders from one side to the other, and up to 0.55 where a head turns fast."""
MOST_REST = 0.15
"""Share of the two pictures' squared difference that no mixture explains: 0.1 in cross-fades of two seconds between
people who move, less in shorter ones; 0.08 and more where a head turns fast."""
LEAST_DIP = 0.65
"""Of the contrast that a mixture loses: 0.82 and more in cross-fades, 0.25 at most in frames of turning heads which a
mixture explains."""
MOST_STEP = 0.5
"""A larger step of the share from one frame to the next is a cut."""
LEAST_DETAIL = 3.0
"""Root mean square in grey levels, of the difference of two pictures."""
PLAIN = 0.1
"""Of the other picture's contrast: one with less is plain."""
NEARLY_WHOLE = 0.9
"""Of the squared difference of the pure pictures: two frames with that are pure."""
FADING = 1.02
"""Times as much squared contrast as the frame before has one of a fade."""
CHUNK = 512
"""Frames whose products are held at a time."""

Thumb = UInt8[np.ndarray, "t t"]
"""A small grey picture."""


@dataclass(frozen=True)
class GradualChange:
    """The first and the last frame that are no pure picture, and the reason to leave them out."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True)
class _Window:
    """Two frames between which all are mixtures of them, their squared difference, and whether one is plain."""

    first: int
    last: int
    energy: float
    plain: bool

    def meets(self, other: "_Window") -> bool:
        return self.first < other.last and other.first < self.last


def thumb(grey: Float[np.ndarray, "s s"]) -> Thumb:
    """What is kept of a small grey picture, from 0 to 255."""
    small = cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    return np.round(small).clip(0, 255).astype(np.uint8)


def find_gradual_changes(thumbs: Sequence[Thumb], rate: float) -> list[GradualChange]:
    """The gradual changes of a video, in order.

    Args:
        thumbs: of all its frames.
        rate: frames a second.
    """
    stride = max(1, round(rate / RATE))
    some = thumbs[::stride]
    longest = min(int(LONGEST * rate / stride), len(some) - 1)
    shortest = max(LEAST_FRAMES, round(SHORTEST * rate / stride))
    found: list[_Window] = []
    contrast: list[float] = []
    for start in range(0, len(some), CHUNK):
        details = _details(some[start : start + CHUNK + longest])
        contrast += (details[:CHUNK] ** 2).sum(axis=1).tolist()
        found += _windows(details, start, shortest, longest)
    chosen = sorted(_chosen(found), key=lambda window: window.first)
    ranges = [_whole(window, np.array(contrast)) for window in chosen]
    return _joined([GradualChange(r.first * stride, min(r.last * stride, len(thumbs) - 1), r.reason) for r in ranges])


def _details(thumbs: Sequence[Thumb]) -> Float[np.ndarray, "n p"]:
    """The thumbs without coarse brightness: a mixture's is the mixture of both."""
    grey = [thumb.astype(np.float32) for thumb in thumbs]
    return np.stack([(g - cv2.GaussianBlur(g, (0, 0), LIGHT)).ravel() for g in grey])


def _difference(first: Float[np.ndarray, " p"], second: Float[np.ndarray, " p"]) -> float:
    """One less the correlation of two thumbs' details, brought to the same contrast everywhere."""
    one, other = (_even(values) for values in (first, second))
    return 1 - float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-6)


def _even(values: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    grid = values.reshape(THUMB, THUMB)
    return (grid / (np.sqrt(cv2.GaussianBlur(grid**2, (0, 0), LIGHT)) + 1)).ravel()


def _windows(details: Float[np.ndarray, "n p"], start: int, shortest: int, longest: int) -> Iterator[_Window]:
    """The windows that begin in a chunk, between whose ends all frames are mixtures of these.

    Args:
        start: the number of the chunk's first frame.
        shortest, longest: frames from one end to the other.
    """
    n = len(details)
    # Products of the frames k and k + d are in row d, column k.
    products = np.full((longest + 1, n), np.nan)
    for d in range(min(longest, n - 1) + 1):
        products[d, : n - d] = np.einsum("np,np->n", details[: n - d], details[d:])
    energy, length = products[0], float(shortest)
    while (size := round(length)) <= min(longest, n - 1):
        first = np.arange(min(CHUNK, n - size))
        between = energy[first] + energy[first + size] - 2 * products[size, first]
        large = between > LEAST_DETAIL**2 * details.shape[1]
        half = _mixtures(products, first[large], size, np.array([size // 2]))
        for k in first[large][(half.rest < MOST_REST)[:, 0] & (half.dip > 0)].tolist():
            ends = energy[[k, k + size]]
            plain = bool(ends.min() < PLAIN**2 * ends.max())
            if _is_gradual(_mixtures(products, np.array([k]), size, np.arange(1, size))) and (
                plain or _difference(details[k], details[k + size]) > ANOTHER_PICTURE
            ):
                yield _Window(start + k, start + k + size, float(between[k]), plain)
        length = max(GROWTH * length, size + 1)


@dataclass(frozen=True)
class _Mixtures:
    """Frames as mixtures of a window's ends, by window and frame.

    Args:
        share: of the last picture.
        rest: squared, of the ends' squared difference: what no mixture explains.
        dip: of each window, the contrast that is lost, of what mixtures lose.
    """

    share: Float[np.ndarray, "w f"]
    rest: Float[np.ndarray, "w f"]
    dip: Float[np.ndarray, " w"]


def _mixtures(
    products: Float[np.ndarray, "d n"], first: Int[np.ndarray, " w"], size: int, steps: Int[np.ndarray, " f"]
) -> _Mixtures:
    """The frames so many steps after the first one, of windows of one size."""
    energy, ends = products[0], products[size, first][:, None]
    begin, end = energy[first][:, None], energy[first + size][:, None]
    frames = first[:, None] + steps
    with_begin, with_end = products[steps, first[:, None]], products[size - steps, frames]
    difference = begin + end - 2 * ends
    share = (with_end - with_begin - ends + begin) / difference
    rest = (energy[frames] + begin - 2 * with_begin) / difference - share**2
    loss = np.clip(share * (1 - share), 0, None)
    lost = ((1 - share) * begin + share * end - energy[frames]) / difference
    dip = (lost * (loss > 0)).sum(axis=1) / np.maximum(loss.sum(axis=1), 1e-6)
    return _Mixtures(share, rest, dip)


def _is_gradual(one: _Mixtures) -> bool:
    """Whether all frames of a window are mixtures, with shares that grow step by step."""
    steps = np.diff(one.share[0], prepend=0.0, append=1.0)
    return bool(one.rest.max() < MOST_REST and one.dip[0] > LEAST_DIP and steps.max() < MOST_STEP)


def _chosen(windows: Sequence[_Window]) -> Iterator[_Window]:
    """One window for each change: the shortest between pure pictures."""
    left = sorted(windows, key=lambda window: -window.energy)
    while left:
        best = left[0]
        same = [window for window in left if window.meets(best)]
        yield min(
            (window for window in same if window.energy > NEARLY_WHOLE * best.energy), key=lambda w: w.last - w.first
        )
        left = [window for window in left if not window.meets(best)]


def _whole(window: _Window, contrast: Float[np.ndarray, " n"]) -> GradualChange:
    """The frames of a window; of a fade also those beyond that are plain, or still gain or lose contrast."""
    first, last = window.first, window.last
    if not window.plain:
        return GradualChange(first, last, CROSS_FADE)
    plain = contrast < PLAIN**2 * contrast[[first, last]].max()

    def goes_on(inner: int, outer: int) -> bool:
        return bool(plain[outer] if plain[inner] else contrast[outer] > FADING * contrast[inner])

    while first > 0 and goes_on(first, first - 1):
        first -= 1
    while last + 1 < len(plain) and goes_on(last, last + 1):
        last += 1
    return GradualChange(first, last, FADE)


def _joined(changes: Sequence[GradualChange]) -> list[GradualChange]:
    """Changes that follow each other without a pure picture between as one."""
    joined: list[GradualChange] = []
    for change in changes:
        if joined and change.first <= joined[-1].last + 1:
            before = joined.pop()
            change = GradualChange(before.first, max(before.last, change.last), before.reason)
        joined.append(change)
    return joined
