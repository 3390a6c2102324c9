"""How far lids and lips are open: distances between landmarks of the upper and of the lower one; blinks, openings."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

RIGHT_LIDS = ((160, 144), (159, 145), (158, 153))
LEFT_LIDS = ((387, 373), (386, 374), (385, 380))
INNER_LIPS = ((82, 87), (13, 14), (312, 317))
"""Pairs of the face mesh's points, the upper one first; the middle one and its neighbours."""

APERTURES = {"right_lids": RIGHT_LIDS, "left_lids": LEFT_LIDS, "lips": INNER_LIPS}
"""Columns of `apertures`, in this order."""
LIDS = [k for k, name in enumerate(APERTURES) if name.endswith("lids")]
LIPS = list(APERTURES).index("lips")

OPEN_SHARE = 90
"""Percentile of the aperture at which lids count as open."""
CLOSED_BELOW, OPEN_ABOVE = 0.45, 0.6
"""Of the open lids' aperture: a blink begins below the first and ends above the second."""
OPENS_ABOVE, SHUTS_BELOW = 0.04, 0.02
"""Of the face's height: a mouth's opening begins above the first and ends below the second."""
SMALLEST = 1e-12
"""Of an aperture that is divided by."""


def apertures(points: Float[np.ndarray, "n 468 d"]) -> Float[np.ndarray, "n 3"]:
    """Mean distance of each of APERTURES in every frame, in the unit of the points (pixels or lengths)."""
    columns = [
        np.linalg.norm(points[:, [a for a, _ in pairs]] - points[:, [b for _, b in pairs]], axis=-1).mean(axis=1)
        for pairs in APERTURES.values()
    ]
    return np.stack(columns, axis=1)


def blinks(aperture: Float[np.ndarray, " n"], time: Int[np.ndarray, " n"]) -> list[tuple[int, int]]:
    """First and last frame of each blink, in frames of the recording; a frame that is missing ends one.

    Args:
        aperture: how far lids are open, in any unit.
        time: the frames' numbers.
    """
    if not len(aperture):
        return []
    level = max(float(np.percentile(aperture, OPEN_SHARE)), SMALLEST)
    return _events(aperture / level, time, lambda value: value < CLOSED_BELOW, lambda value: value <= OPEN_ABOVE)


def openings(aperture: Float[np.ndarray, " n"], time: Int[np.ndarray, " n"]) -> list[tuple[int, int]]:
    """First and last frame of each opening of the mouth, as `blinks`.

    Args:
        aperture: how far the lips are open, in shares of the face's height.
        time: the frames' numbers.
    """
    return _events(aperture, time, lambda value: value > OPENS_ABOVE, lambda value: value >= SHUTS_BELOW)


def _events(
    values: Float[np.ndarray, " n"],
    time: Int[np.ndarray, " n"],
    begins: Callable[[float], bool],
    goes_on: Callable[[float], bool],
) -> list[tuple[int, int]]:
    """First and last frame of what begins with a value of one kind and goes on with those of a wider kind."""
    found: list[tuple[int, int]] = []
    inside, before = False, None
    for value, number in zip(values.tolist(), time.tolist(), strict=True):
        if before is not None and number != before + 1:
            inside = False
        if inside and goes_on(value):
            found[-1] = (found[-1][0], number)
        else:
            inside = begins(value)
            if inside:
                found.append((number, number))
        before = number
    return found
