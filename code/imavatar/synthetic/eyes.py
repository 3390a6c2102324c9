"""Eyeballs: dense spheres with a cornea, an iris and a pupil, in place of the coarse ones of a head model."""

import numpy as np
from jaxtyping import Float, Int

IRIS_ANGLE, PUPIL_ANGLE, LIMBUS_WIDTH = 0.46, 0.18, 0.04
"""Angles from the axis of the eye, radians."""

CORNEA_BULGE, CORNEA_ANGLE = 0.04, 0.40


def eyeball_mesh(
    n_rings: int = 48, n_segments: int = 64
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"], Float[np.ndarray, " v"], Float[np.ndarray, " v"]]:
    """An eyeball of radius 1 that looks along +z: vertices, faces, polar angle and azimuth of the vertices."""
    polar, azimuth = np.meshgrid(
        # rings are denser at the front, where the iris is
        np.pi * np.linspace(0, 1, n_rings + 1) ** 1.5,
        np.linspace(0, 2 * np.pi, n_segments, endpoint=False),
        indexing="ij",
    )
    direction = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=-1)
    radius = 1 + CORNEA_BULGE * np.exp(-((polar / CORNEA_ANGLE) ** 2))
    index = np.arange(polar.size).reshape(polar.shape)
    after = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1], index[1:], after[1:], after[:-1]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    vertices = (radius[..., None] * direction).reshape(-1, 3)
    return vertices, faces, polar.reshape(-1), azimuth.reshape(-1)


def eye_colour(
    polar: Float[np.ndarray, " v"], azimuth: Float[np.ndarray, " v"], iris: tuple[float, float, float]
) -> Float[np.ndarray, "v 3"]:
    """Linear RGB of an eyeball's surface: white, reddish at the back, with iris, limbus and pupil."""
    white = np.tile([0.74, 0.71, 0.68], (len(polar), 1))
    back = np.clip((polar - 0.5) / 0.6, 0, 1)[:, None]
    colour = white * (1 - 0.14 * back * np.array([0, 1, 1]))
    fibres = 0.80 + 0.30 * np.sin(23 * azimuth) * np.sin(7 * azimuth + 1)
    outward = np.clip((polar / IRIS_ANGLE - 0.4) / 0.6, 0, 1)
    in_iris = polar < IRIS_ANGLE
    colour[in_iris] = (np.array(iris) * (fibres * (1.5 - 0.9 * outward))[:, None])[in_iris]
    limbus = np.exp(-(((polar - IRIS_ANGLE) / LIMBUS_WIDTH) ** 2))[:, None]
    colour = colour * (1 - 0.7 * limbus)
    colour[polar < PUPIL_ANGLE] = 0.006
    return colour
