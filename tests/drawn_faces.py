"""Pictures with faces that need no network to be found: framed squares, whose pattern is the person."""

import cv2
import numpy as np

from imavatar.preprocessing.face_search import SeenFace
from imavatar.preprocessing.face_texture import FaceTexture
from imavatar.preprocessing.survey import FaceTellers

FRAME = (250, 20, 20)
COLUMNS, ROWS = 18, 26  # 468 landmarks
GRID = np.stack(np.meshgrid(np.linspace(0.1, 0.9, COLUMNS), np.linspace(0.1, 0.9, ROWS)), axis=-1).reshape(-1, 2)
"""Landmarks as shares of a face's box."""


def pattern(person: int, size: int) -> np.ndarray:
    """A person's face, grey."""
    coarse = np.random.default_rng(person).integers(40, 200, (8, 8), dtype=np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def picture(height: int, width: int, *faces: tuple[int, int, int, int], shade: int = 90) -> np.ndarray:
    """A plain picture with faces: person, left, top and side of each. What is outside of it is cut off."""
    rgb = np.full((height, width, 3), (shade // 2, shade, shade), np.uint8)
    for person, x, y, side in faces:
        edge = max(2, side // 12)
        face = np.full((side, side, 3), FRAME, np.uint8)
        face[edge:-edge, edge:-edge] = pattern(person, side - 2 * edge)[..., None]
        part = rgb[max(y, 0) : y + side, max(x, 0) : x + side]
        part[:] = face[max(-y, 0) :, max(-x, 0) :][: part.shape[0], : part.shape[1]]
    return rgb


def boxes_of(rgb: np.ndarray) -> list[np.ndarray]:
    """The boxes of the framed squares, the largest first."""
    red = (rgb[..., 0] > 170) & (rgb[..., 1] < 110) & (rgb[..., 2] < 110)
    _, _, stats, _ = cv2.connectedComponentsWithStats(red.astype(np.uint8))
    boxes = [np.array([x, y, x + w, y + h], float) for x, y, w, h, area in stats[1:] if area > 12]
    return sorted(boxes, key=lambda box: -box[2] * box[3])[:3]


def points_of(box: np.ndarray) -> np.ndarray:
    """The landmarks of the face in a box."""
    return box[:2] + GRID * (box[2:] - box[:2])


def search(rgb: np.ndarray, near=(), *, thorough: bool = False) -> list[SeenFace]:
    """Stands in for `FaceSearch`."""
    return [SeenFace(box, points_of(box), 0.95, 20.0, 0.0) for box in boxes_of(rgb)]


def texture() -> FaceTexture:
    """For the drawn faces."""
    return FaceTexture(GRID.copy())


def tellers() -> FaceTellers:
    """Finds the drawn faces, and tells them apart."""
    told = texture()
    return FaceTellers(search, told, lambda rgb, points: told(rgb, points)[None])


def moved(number: int, reach: int = 4) -> int:
    """A head that sways by a pixel a frame: no two frames in a row are the same."""
    return abs(number % (4 * reach) - 2 * reach) - reach
