"""Eyeballs, dense spheres with a cornea, an iris and a pupil in place of the coarse ones of a head model; and a pair of
glasses: rims, bridge and temples, made for the place of a head's eyes and ears.
"""

import itertools

import numpy as np
from jaxtyping import Float, Int
from trimesh.util import append_faces

from imavatar.synthetic.mesh_tools import unit

IRIS_ANGLE, PUPIL_ANGLE, LIMBUS_WIDTH = 0.46, 0.18, 0.04
"""Angles from the axis of the eye, radians."""

CORNEA_BULGE, CORNEA_ANGLE = 0.04, 0.40
N_RINGS, N_SEGMENTS = 48, 64

RIM = (0.0245, 0.0195)
"""Half the width and height of a rim, metres."""
TUBE = 0.0015
IN_FRONT = 0.027
"""Of the eyes' centres."""
EAR = (0.004, -0.085)
"""Where temples end, from the eyes' centres: up and towards the back."""
BESIDE_HEAD = 0.004
N_AROUND, N_SIDES, N_ALONG = 48, 10, 12


def eyeball_mesh() -> tuple[
    Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"], Float[np.ndarray, " v"], Float[np.ndarray, " v"]
]:
    """An eyeball of radius 1 that looks along +z: vertices, faces, polar angle and azimuth of the vertices."""
    polar, azimuth = np.meshgrid(
        # rings are denser at the front, where the iris is
        np.pi * np.linspace(0, 1, N_RINGS + 1) ** 1.5,
        np.linspace(0, 2 * np.pi, N_SEGMENTS, endpoint=False),
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


def glasses_mesh(
    eyes: Float[np.ndarray, "2 3"], half_width: float
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Vertices and faces, metres, for a head at rest that looks along z.

    Args:
        eyes: centres of both eyeballs.
        half_width: of the head at the temples.
    """
    height, depth = eyes[:, 1].mean(), eyes[:, 2].mean()
    x = np.abs(eyes[:, 0]).mean()
    front = depth + IN_FRONT
    around = np.linspace(0, 2 * np.pi, N_AROUND, endpoint=False)
    tubes = []
    for side in (-1, 1):
        rim = np.stack([side * x + RIM[0] * np.cos(around), height + RIM[1] * np.sin(around)], axis=1)
        tubes.append(_tube(np.concatenate([rim, np.full((N_AROUND, 1), front)], axis=1), closed=True))
        hinge = [side * (x + RIM[0]), height + EAR[0], front]
        wide = [side * (half_width + BESIDE_HEAD), height + EAR[0], front - 0.02]
        ear = [side * (half_width + BESIDE_HEAD), height + EAR[0], depth + EAR[1]]
        tubes.append(_tube(_polyline(np.array([hinge, wide, ear])), closed=False))
    arch = np.linspace(-1, 1, N_ALONG)
    rise = 0.003 * (1 - arch**2)
    bridge = np.stack([(x - RIM[0]) * arch, height + 0.004 + rise, front + rise], axis=1)
    return append_faces(*zip(*tubes, _tube(bridge, closed=False), strict=True))


def _polyline(corners: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "n 3"]:
    parts = [np.linspace(a, b, N_ALONG, endpoint=False) for a, b in itertools.pairwise(corners)]
    return np.concatenate([*parts, corners[-1:]])


def _tube(curve: Float[np.ndarray, "n 3"], closed: bool) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """A tube of radius TUBE around a curve; open tubes end in rings."""
    n = len(curve)
    ahead = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    if not closed:
        ahead[0], ahead[-1] = curve[1] - curve[0], curve[-1] - curve[-2]
    tangent = unit(ahead)
    # No part runs along this direction, so that the frames turn steadily.
    first = unit(np.cross(tangent, [0.12, 0.99, 0.07]))
    flat = np.abs(tangent @ [0.12, 0.99, 0.07]) > 0.97
    first[flat] = unit(np.cross(tangent[flat], [0.0, 0.0, 1.0]))
    second = np.cross(tangent, first)
    angle = np.linspace(0, 2 * np.pi, N_SIDES, endpoint=False)
    ring = np.cos(angle)[None, :, None] * first[:, None] + np.sin(angle)[None, :, None] * second[:, None]
    vertices = (curve[:, None] + TUBE * ring).reshape(-1, 3)
    index = np.arange(n * N_SIDES).reshape(n, N_SIDES)
    low, high = (index, np.roll(index, -1, axis=0)) if closed else (index[:-1], index[1:])
    right, high_right = np.roll(low, -1, axis=1), np.roll(high, -1, axis=1)
    quads = np.stack([low, right, high_right, high], axis=-1).reshape(-1, 4)
    return vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
