"""Who a face is, in recordings of different light: what is its own in its texture, in whole and in parts.

Brightness is the product of the skin's and the light's, so its logarithm is a sum. What light from any side can add to
a head's picture spans few directions, which are taken out. So is the mean of all faces, which is most of what two
people's textures share: eyes, brows and mouth. The upper and the lower half count for themselves too, as glasses or a
beard change one of them only.

Measured on three people who were filmed, each recording in halves: one as it is, the other lit by a single lamp from
five sides, or with drawn glasses or beards. Between halves of one person the likeness is 0.82 and more for every light,
0.91 for beards, 0.67 for thick glasses and 0.60 for dark ones. Between different people it is 0.41 to 0.57, and up to
0.59 where both are lit from some side. Of five rendered people, whose smooth skin says less, it is 0.26 and more
between halves in such lights, and 0.40 at most between different ones, 0.76 where both are lit so. Two recordings of
one person on different days were not at hand.
"""

import base64

import cv2
import numpy as np
from jaxtyping import Float
from scipy.spatial import Delaunay

from imavatar.preprocessing.face_texture import GRID, LIGHT, SMOOTHING, FaceTexture, correlation, group_means, unit
from imavatar.preprocessing.landmarks import Image, Points

DARK = 0.02
"""Brightness, of 1, below which there is nothing to compare."""
N_LIGHTS = 12
"""Directions that light can add, and which are taken out."""
TILTS, SIDES = (30, 60, 90), range(0, 360, 30)
"""Degrees between the direction of light and that of sight, and about the latter."""
AMBIENT = (0.1, 0.3, 0.8)
"""Light from everywhere, as a share of that from one side."""
UPPER, LOWER = 0.47, 0.53
"""Of the face's height from above: so far reaches the upper half, and there begins the lower one."""
LESS_SURE = (0.0, 0.0, 0.15)
"""By which the likeness of the whole, the upper and the lower half is lowered: mouths are more alike than eyes."""
MEAN_FACE = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAACj0lEQVQ4EVXBS25kRRAF0Hsj8/2qyp9ygSeIj8SICRJbYD9MEcMUCDVbYhWI"
    "JTBwI2E3bZf9PvkyI4LC3bK6z2HCOxEOB5w4cTjeY8JJ19NN3RxOEv7M8D8mIJ61NFNTcweFhPmJeQXAhHK1C36iVd1JCYSfmFpeI5iO3We9"
    "wN1N1R0SROBwt1rzMUamv746BM1rBRhjEAlYc1EPMXK9nw/88d+vu3laStVasd3vgh3vC6K4dH0zvz3wB/uSUy7zuLgVOxxkelubNvadGNv1"
    "9pw/tWfLvNa//7j7/Ishdrt6VNGH15ffbhGDPvT8+UymtfrN76+/++bs0DTzLd1v/rz+vrM+hkX56sIL8PjmZv70+urcMd6ii9M/4dC1gY1N"
    "/G3Pqlqm2fr9OWuY7pbNlmuV6AhNHflqH+syKc2bbR+DzccH327ErSIE5pm/ngWvORdFu7vYeF7GsYQm0hnFsWT+0sNBqHrsLoea8/RUuz7A"
    "4a6WlalxlRDoMNkPa87LWDa7xsxqNS1kohqDiKCEdl1LXrW/3DZWtFS30jFZhVCCODd+/zQu7C8vetFcqsO1Z/LsQSSSu31bxjdj7LtIL0uu"
    "iBFg8rnGE3SfXLVYp9EA07pOy+rdTsEETJQgPN/3WHNZCoOY1mmust0WMCHa6mLWP97VpTT+2Az99cBSEDdiYAKGxbjW+HA/BGkxqerVIO5h"
    "iBlgAiIrq/YhZ3NoYYiNmEm3mxRgAhDcgdbzNC/VvN8OQdTiNowAmHASzE3cfa1mHtsAOLthUQBMeKbqsWsJO9FqQGzccMKEZ17YDp1YddG8"
    "mpB4hwnveRBaKey8MuAFE154XZclDBJ6wQsmfKAcn2S36fABJnzkCTt85D92/7T6QzU7WAAAAABJRU5ErkJggg=="
)
"""A PNG file in base64: the mean of the `_details` of five rendered people (`make_synthetic.py --subjects 5`)."""

Identity = Float[np.ndarray, "r t"]
"""Of the whole face and its halves vectors of length one, in half precision: every look at a video keeps one."""


class FaceIdentity(FaceTexture):
    """A picture and the landmarks of a face -> its identity.

    Args:
        frontal: the landmarks of a face in its own frame, y up and z forwards, in any unit.
    """

    def __init__(self, frontal: Float[np.ndarray, "n 3"]):
        outline = frontal[:, :2] * [1, -1]
        super().__init__(outline)
        rows = np.nonzero(self._inner)[0] / GRID
        shaded = np.stack([self._details(picture) for picture in _shaded(self._normals(frontal, outline), self._face)])
        mean = self._mean_face()
        halves = [np.ones(len(rows), bool), rows < UPPER, rows >= LOWER]
        self._parts = [(part, _shared(shaded[:, part], mean[part])) for part in halves]

    def __call__(self, rgb: Image, points: Points) -> Identity:
        """The identity of a face whose landmarks are in pixels of the picture."""
        details = self._details(self._frontal(rgb, points))
        identity = np.zeros((len(self._parts), len(details)), np.float16)
        for row, (part, shared) in zip(identity, self._parts, strict=True):
            values = details[part] - details[part].mean()
            row[part] = unit(values - shared.T @ (shared @ values))
        return identity

    def _details(self, grey: Float[np.ndarray, "g g"]) -> Float[np.ndarray, " t"]:
        """The logarithm of the brightness without what varies slowly."""
        logarithm = np.log(grey + DARK).astype(np.float32) * self._face
        details = (logarithm - self._smooth(logarithm, LIGHT)) * self._face
        return cv2.GaussianBlur(details, (0, 0), SMOOTHING)[self._inner]

    def _normals(self, frontal: Float[np.ndarray, "n 3"], outline: Points) -> Float[np.ndarray, "g g 3"]:
        """Normals of the frontal face."""
        mesh = Delaunay(outline).simplices
        first, second, third = (frontal[mesh[:, k]] for k in range(3))
        across = np.cross(second - first, third - first)
        across *= np.sign(across[:, 2:])
        normals = np.zeros_like(frontal)
        for k in range(3):
            np.add.at(normals, mesh[:, k], across)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        cells = np.einsum("nk,nkc->nc", self._weights, normals[self._corners])
        return cells.reshape(GRID, GRID, 3)

    def _mean_face(self) -> Float[np.ndarray, " t"]:
        stored = np.frombuffer(base64.b64decode("".join(MEAN_FACE)), np.uint8)
        small = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.float32)
        return cv2.resize(small, (GRID, GRID), interpolation=cv2.INTER_CUBIC)[self._inner]


def _shaded(normals: Float[np.ndarray, "g g 3"], face: Float[np.ndarray, "g g"]) -> Float[np.ndarray, "l g g"]:
    """A white face in lights from all sides."""
    tilt, side = (np.radians(angle).ravel() for angle in np.meshgrid(TILTS, SIDES))
    lamps = np.stack([np.sin(tilt) * np.cos(side), np.sin(tilt) * np.sin(side), np.cos(tilt)], axis=1)
    lit = np.clip(np.einsum("ijc,lc->lij", normals, lamps), 0, None)
    return np.concatenate([np.where(face > 0, lit + ambient, 1.0) for ambient in AMBIENT])


def _shared(shaded: Float[np.ndarray, "l p"], mean: Float[np.ndarray, " p"]) -> Float[np.ndarray, "d p"]:
    """Orthogonal directions of length one: those of light, and that of the mean face."""
    _, _, directions = np.linalg.svd(shaded - shaded.mean(axis=1, keepdims=True), full_matrices=False)
    light = directions[:N_LIGHTS]
    centred = mean - mean.mean()
    rest = centred - light.T @ (light @ centred)
    return np.concatenate([light, rest[None] / np.linalg.norm(rest)])


def identity_likeness(first: Float[np.ndarray, "n r t"], second: Float[np.ndarray, "m r t"]) -> float:
    """How alike two series of identities are, from -1 to 1, by the part in which they are most alike."""
    one, other = (series.astype(np.float32).swapaxes(0, 1) for series in (first, second))
    parts = zip(one, other, LESS_SURE, strict=False)
    return max(correlation(group_means(list(a)), group_means(list(b))) - less for a, b, less in parts)
