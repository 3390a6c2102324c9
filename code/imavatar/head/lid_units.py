"""How a head's expressions close each of its lids: the freedom that the tracker gives to blinks."""

import numpy as np
from jaxtyping import Float

from imavatar.anatomy import MM_PER_METRE, N_EXPRESSION, N_SHAPE_COLUMNS
from imavatar.head.apertures import LEFT_LIDS, RIGHT_LIDS
from imavatar.head.assets import HeadAssets
from imavatar.head.landmarks import LandmarkEmbedding

BLINKS = ("eyeBlinkRight", "eyeBlinkLeft")
CLOSING = 10.0
"""How much more it counts that a lid closes than that any other landmark stays where it is."""
RIDGE = 0.01
"""Millimetres that one standard deviation of a coefficient costs."""


def lid_units(assets: HeadAssets, embedding: LandmarkEmbedding) -> Float[np.ndarray, "2 50"]:
    """Expression coefficients that close the right and the left lid.

    The head model's own face units, where it has them. Else those that close a lid of the resting head and move the
    landmarks of everything but this eye as little as its expressions can.
    """
    if all(name in assets.face_units for name in BLINKS):
        return np.stack([assets.face_units[name] for name in BLINKS])
    corners = assets.faces[embedding.faces]
    columns = assets.shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + N_EXPRESSION]
    moved = MM_PER_METRE * np.einsum("lk,lkxe->lxe", embedding.barycentric, columns[corners])
    rest = MM_PER_METRE * np.einsum("lk,lkx->lx", embedding.barycentric, assets.v_template[corners])
    return np.stack([_closing(moved, rest, pairs) for pairs in (RIGHT_LIDS, LEFT_LIDS)])


def _closing(
    moved: Float[np.ndarray, "468 3 50"], rest: Float[np.ndarray, "468 3"], pairs: tuple[tuple[int, int], ...]
) -> Float[np.ndarray, " 50"]:
    """The coefficients of one lid by least squares; millimetres."""
    upper, lower = (np.array(ends) for ends in zip(*pairs, strict=True))
    gap = rest[upper] - rest[lower]
    others = np.ones(len(rest), bool)
    others[np.concatenate([upper, lower])] = False
    rows = [
        CLOSING * (moved[upper] - moved[lower]).reshape(-1, N_EXPRESSION),
        moved[others].reshape(-1, N_EXPRESSION) / np.sqrt(others.sum()),
        RIDGE * np.eye(N_EXPRESSION),
    ]
    goal = np.zeros(sum(map(len, rows)))
    goal[: gap.size] = -CLOSING * gap.ravel()
    return np.linalg.lstsq(np.concatenate(rows), goal, rcond=None)[0]
