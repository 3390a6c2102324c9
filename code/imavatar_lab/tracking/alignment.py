"""The motions that bring what was tracked onto the truth, before what is left counts as an error."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, " 3"]

    def __call__(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Points under it."""
        return self.scale * points @ self.rotation.T + self.translation


def best_similarity(
    source: Float[np.ndarray, "m 3"], target: Float[np.ndarray, "m 3"], *, scaled: bool = True
) -> Similarity:
    """The one that brings points closest to their partners, by the sum of squares (Umeyama 1991).

    Args:
        scaled: False keeps lengths as they are: a rigid motion.
    """
    middle, goal = source.mean(axis=0), target.mean(axis=0)
    centred, wanted = source - middle, target - goal
    left, stretch, right = np.linalg.svd(wanted.T @ centred)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * flip) @ right
    scale = float((stretch * flip).sum() / np.square(centred).sum()) if scaled else 1.0
    return Similarity(scale, rotation, goal - scale * rotation @ middle)


def rotations_between(
    source: Float[np.ndarray, "n k 3"], target: Float[np.ndarray, "n k 3"]
) -> Float[np.ndarray, "n 3 3"]:
    """In every frame, the rotation that turns one head's points the way the other's lie."""
    pairs = zip(source, target, strict=True)
    return np.stack([best_similarity(a, b, scaled=False).rotation for a, b in pairs])


def mean_rotation(rotations: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation closest to all of them."""
    return Rotation.from_matrix(rotations).mean().as_matrix()


def angles(rotations: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, " n"]:
    """How far each turns, degrees."""
    return np.degrees(Rotation.from_matrix(rotations).magnitude())
