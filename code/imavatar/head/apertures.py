"""How far lids and lips are open: distances between landmarks of the upper and of the lower one, and blinks."""

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
    found: list[tuple[int, int]] = []
    closed, before = False, None
    for value, number in zip((aperture / level).tolist(), time.tolist(), strict=True):
        if before is not None and number != before + 1:
            closed = False
        if value < CLOSED_BELOW and not closed:
            found.append((number, number))
            closed = True
        elif closed and value <= OPEN_ABOVE:
            found[-1] = (found[-1][0], number)
        elif closed:
            closed = False
        before = number
    return found
