"""Who a face is, as far as a recording tells: its texture in the head's own frame, without shape, pose and light.

The landmarks carry each frame's face into the same frontal outline. There the picture is freed of what varies slowly,
which is mostly light, and brought to the same contrast everywhere. Faces of one person in one recording then correlate
by 0.9 and more, those of different people by 0.6 to 0.7. Another light, or glasses put on, can part one person from
themselves.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float
from scipy.spatial import Delaunay

from imavatar.preprocessing.landmarks import Image, Points

GRID = 64
"""Cells along each side of the frontal outline's box."""
SMOOTHING, LIGHT = 1.0, 6.0
"""Standard deviations in cells: what is finer is noise, what is coarser is light."""
FAINT = 0.005
"""Contrast, of 1, below which there is nothing to amplify."""
EDGE = 5
"""Cells that are left out along the outline, where a little misplacement brings the background in."""
GROUP = 5
"""Textures in a row that are averaged: expressions come and go, the person stays."""
BEST = 90
"""Percentile over the pairs of two recordings' groups: some of them show the same view."""

Texture = Float[np.ndarray, " t"]


class FaceTexture:
    """A picture and the landmarks of a face -> its texture, a vector of length one.

    Args:
        frontal: the landmarks of a face seen from the front, y down, in any unit.
    """

    def __init__(self, frontal: Points):
        low, high = frontal.min(axis=0), frontal.max(axis=0)
        columns, rows = np.linspace(low, high, GRID).T
        cells = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        mesh = Delaunay(frontal)
        triangle = mesh.find_simplex(cells)
        transform = mesh.transform[triangle]
        first = np.einsum("nij,nj->ni", transform[:, :2], cells - transform[:, 2])
        self._corners = mesh.simplices[triangle]
        self._weights = np.concatenate([first, 1 - first.sum(axis=1, keepdims=True)], axis=1)
        face = (triangle >= 0).reshape(GRID, GRID)
        self._face = face.astype(np.float32)
        inner = cv2.erode(face.astype(np.uint8), np.ones((EDGE, EDGE), np.uint8), borderValue=0)
        self._inner = inner == 1

    def __call__(self, rgb: Image, points: Points) -> Texture:
        """The texture of a face whose landmarks are in pixels of the picture."""
        grey = self._frontal(rgb, points)
        detail = grey - self._smooth(grey, LIGHT)
        contrast = np.sqrt(self._smooth(detail**2, LIGHT)) + FAINT
        values = cv2.GaussianBlur(detail / contrast * self._face, (0, 0), SMOOTHING)[self._inner]
        return unit(values)

    def _frontal(self, rgb: Image, points: Points) -> Float[np.ndarray, "g g"]:
        """The face in the frontal outline, grey values from 0 to 1."""
        low = np.maximum(np.floor(points.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 1, [rgb.shape[1], rgb.shape[0]])
        if (high <= low).any():
            return np.zeros((GRID, GRID), np.float32)
        grey = cv2.cvtColor(np.ascontiguousarray(rgb[low[1] : high[1], low[0] : high[0]]), cv2.COLOR_RGB2GRAY)
        # Brought to the grid's resolution first: sampled directly, fine detail would alias.
        scale = min(1.0, 1.5 * GRID / max(high - low))
        small = cv2.resize(grey, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
        scales = np.array([small.shape[1], small.shape[0]]) / (high - low)
        places = np.einsum("nk,nkc->nc", self._weights, (points - low + 0.5)[self._corners]) * scales - 0.5
        columns, rows = places.astype(np.float32).T.reshape(2, GRID, GRID)
        sampled = cv2.remap(small, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return sampled.astype(np.float32) / 255 * self._face

    def _smooth(self, values: Float[np.ndarray, "g g"], sigma: float) -> Float[np.ndarray, "g g"]:
        """Means over the face's cells nearby."""
        total = cv2.GaussianBlur(values * self._face, (0, 0), sigma)
        return total / (cv2.GaussianBlur(self._face, (0, 0), sigma) + 1e-6)


def likeness(first: Sequence[Texture], second: Sequence[Texture]) -> float:
    """The correlation of two series of textures, from -1 to 1: high where some of their views agree."""
    return correlation(group_means(first), group_means(second))


def group_means(series: Sequence[Texture]) -> Float[np.ndarray, "g t"]:
    """The mean textures of some looks in a row each."""
    return np.stack([unit(np.mean(series[k : k + GROUP], axis=0)) for k in range(0, len(series), GROUP)])


def correlation(first: Float[np.ndarray, "g t"], second: Float[np.ndarray, "h t"]) -> float:
    """That of the pairs of two series' groups which agree best."""
    return float(np.percentile(first @ second.T, BEST))


def unit(values: Float[np.ndarray, " t"]) -> Texture:
    """A vector without mean, of length one; zeros where it is constant."""
    centred = values - values.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-6)
