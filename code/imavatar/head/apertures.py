"""How far lids and lips are open: distances between landmarks of the upper and of the lower one."""

import numpy as np
from jaxtyping import Float

RIGHT_LIDS = ((160, 144), (159, 145), (158, 153))
LEFT_LIDS = ((387, 373), (386, 374), (385, 380))
INNER_LIPS = ((82, 87), (13, 14), (312, 317))
"""Pairs of the face mesh's points, the upper one first; the middle one and its neighbours."""

APERTURES = {"right_lids": RIGHT_LIDS, "left_lids": LEFT_LIDS, "lips": INNER_LIPS}
"""Columns of `apertures`, in this order."""


def apertures(points: Float[np.ndarray, "n 468 d"]) -> Float[np.ndarray, "n 3"]:
    """Mean distance of each of APERTURES in every frame, in the unit of the points (pixels or lengths)."""
    columns = [
        np.linalg.norm(points[:, [a for a, _ in pairs]] - points[:, [b for _, b in pairs]], axis=-1).mean(axis=1)
        for pairs in APERTURES.values()
    ]
    return np.stack(columns, axis=1)
