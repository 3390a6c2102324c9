"""Curves over a recording, compared: how far lids and lips are open, the blinks among them, how much points shake."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from imavatar.head.apertures import APERTURES, LIDS, LIPS, blinks, openings

NOISE = 0.1
"""Of the standard deviation of a steady curve: what moves less does not move."""
TOLERANCE = 2
"""Frames that two events may be apart and still be the same one."""

Events = list[tuple[int, int]]
"""First and last frame of each, as `imavatar.head.apertures.blinks` gives them."""


@dataclass(frozen=True)
class EventCount:
    """Of a recording: how many blinks, or openings of a mouth, there are, were found, and were invented."""

    true: int
    found: int
    invented: int

    @property
    def missed(self) -> int:
        """How many were not found."""
        return self.true - self.found


def compare_events(true: Events, found: Events) -> EventCount:
    """How many of the true ones overlap a found one, and how many found ones overlap none."""

    def meets(one: tuple[int, int], others: Events) -> bool:
        return any(one[0] <= last + TOLERANCE and first <= one[1] + TOLERANCE for first, last in others)

    return EventCount(
        true=len(true),
        found=sum(meets(event, found) for event in true),
        invented=sum(not meets(event, true) for event in found),
    )


def compare_apertures(
    tracked: Float[np.ndarray, "n 3"],
    reference: Float[np.ndarray, "n 3"],
    time: Int[np.ndarray, " n"],
    *,
    steady: float,
) -> dict[str, float | None]:
    """Errors and correlations of lids (mean of both eyes) and lips, and the blinks of both eyes.

    Args:
        tracked: columns as in `imavatar.head.apertures`.
        reference: of the same frames.
        steady: standard deviation below which a curve has nothing that could be correlated with.
    """
    error = np.abs(tracked - reference).mean(axis=0)
    together = [correlation(tracked[:, k], reference[:, k], steady) for k in range(len(APERTURES))]
    lids = [value for value in (together[k] for k in LIDS) if value is not None]
    counts = [compare_events(blinks(reference[:, k], time), blinks(tracked[:, k], time)) for k in LIDS]
    return {
        "lid_error": float(error[LIDS].mean()),
        "lid_correlation": float(np.mean(lids)) if lids else None,
        "lip_error": float(error[LIPS]),
        "lip_correlation": together[LIPS],
        "blinks_true": float(sum(count.true for count in counts)),
        "blinks_found": float(sum(count.found for count in counts)),
        "blinks_invented": float(sum(count.invented for count in counts)),
    }


def compare_openings(
    tracked: Float[np.ndarray, " n"], reference: Float[np.ndarray, " n"], time: Int[np.ndarray, " n"]
) -> dict[str, float | None]:
    """Counts of the mouth's openings, of two curves of the lips' aperture in shares of the face's height."""
    count = compare_events(openings(reference, time), openings(tracked, time))
    return {
        "openings_true": float(count.true),
        "openings_found": float(count.found),
        "openings_invented": float(count.invented),
    }


def correlation(tracked: Float[np.ndarray, " n"], reference: Float[np.ndarray, " n"], steady: float) -> float | None:
    """Of two curves; None where the reference is flat, 0 where the tracked one is much flatter than that: its noise."""
    if reference.std() < steady:
        return None
    return float(np.corrcoef(tracked, reference)[0, 1]) if tracked.std() > NOISE * steady else 0.0


def shake(points: Float[np.ndarray, "n k d"], time: Int[np.ndarray, " n"]) -> float:
    """Root mean square of second differences over frames that follow each other; 0 where none do."""
    step = np.diff(time)
    second = np.diff(points, n=2, axis=0)[(step[:-1] == 1) & (step[1:] == 1)]
    return float(np.sqrt(np.square(second).sum(axis=-1).mean())) if len(second) else 0.0
