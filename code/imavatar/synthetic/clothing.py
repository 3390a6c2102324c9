"""What a synthetic head wears: hair as a shell over the scalp, and a sweater. Both follow the skin."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from imavatar.synthetic.mesh_tools import FineMesh, value_noise
from imavatar.synthetic.skin_material import SkinPaint

HAIR_THICKNESS = 0.016
HAIR_RAMP = 0.022
"""Thickness in metres, and the distance from the hairline over which the hair gains it."""

SUNK = -0.004
"""Offset of a shell outside its border: below the skin, which then cuts the shell along the border."""

RIM_SLOPE = 1.0
"""Offset per distance from the border next to it; finite, so that the cut is straight."""

CLOTH_THICKNESS = 0.009
PARTING = 0.020
"""Where the hair parts, metres to the subject's left."""


@dataclass(frozen=True)
class Shell:
    """A surface that floats over a fine mesh of the skin: offset along the normal (metres), and colour per vertex."""

    mesh: FineMesh
    offset: Float[np.ndarray, " m"]
    colour: Float[np.ndarray, "m 3"]


def hair_shell(
    skin: FineMesh, place: Float[np.ndarray, "m 3"], paint: SkinPaint
) -> tuple[Shell, Float[np.ndarray, "k 3"]]:
    """The hair over a fine mesh of the skin whose vertices lie at `place` in paint space; and where its own lie."""
    inside = paint.above_hairline(place, skin.uv)
    mesh, kept = skin.keep_faces((inside > -0.006)[skin.faces].any(axis=1))
    place = place[kept]
    return Shell(mesh, _hair_offset(place, inside[kept], paint.seed), _hair_colour(place, paint)), place


def cloth_shell(body: FineMesh, place: Float[np.ndarray, "m 3"], paint: SkinPaint) -> Shell:
    """A sweater over a fine mesh of neck and torso whose vertices lie at `place` in paint space."""
    inside = collar_height(place) - place[:, 1]
    mesh, kept = body.keep_faces((inside > -0.012)[body.faces].any(axis=1))
    place, inside = place[kept], inside[kept]
    folds = 0.0025 * value_noise(place, paint.seed + 30, 30) * np.clip(inside / 0.03, 0, 1)
    offset = np.clip(RIM_SLOPE * inside, SUNK, 0.004)
    offset = offset + (CLOTH_THICKNESS - 0.004) * np.clip(inside / 0.03, 0, 1) + folds
    return Shell(mesh, offset, cloth_colour(place, paint))


def collar_height(place: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Height of the sweater's rim by depth."""
    return np.interp(place[:, 2], [-0.12, -0.06, 0, 0.06, 0.12], [-0.085, -0.09, -0.112, -0.135, -0.145])


def cloth_colour(place: Float[np.ndarray, "n 3"], paint: SkinPaint) -> Float[np.ndarray, "n 3"]:
    """Knitted cloth with a darker hem."""
    inside = collar_height(place) - place[:, 1]
    hem = np.exp(-(((inside - 0.008) / 0.0025) ** 2))
    knit = 0.10 * value_noise(place, paint.seed + 31, 300) + 0.08 * value_noise(place, paint.seed + 32, 60)
    return np.clip(np.array(paint.palette.cloth) * (1 + knit - 0.25 * hem)[:, None], 0.003, 1)


def _strand_coordinates(place: np.ndarray, seed: int) -> np.ndarray:
    """Coordinates in which hair is long in y and thin in the others: strands run from the parting down and back."""
    x, y, z = place.T
    wave = 0.006 * value_noise(place, seed + 41, 35)
    return np.stack([0.2 * x, 0.06 * y, z + 0.45 * y + wave], axis=-1)


def _hair_offset(place: np.ndarray, inside: np.ndarray, seed: int) -> np.ndarray:
    rise = np.clip(inside / HAIR_RAMP, 0, 1)
    rise = np.sqrt(rise * (2 - rise))  # a rounded rim
    strands = 0.10 * value_noise(_strand_coordinates(place, seed), seed + 42, 320)
    locks = 0.22 * value_noise(place, seed + 43, 40) + strands
    top = np.clip((place[:, 1] - 0.05) / 0.06, 0, 1)
    parting = 0.45 * np.exp(-(((place[:, 0] - PARTING) / 0.006) ** 2)) * top
    volume = (0.75 + 0.45 * top) * (1 + locks - parting)
    return np.clip(RIM_SLOPE * inside, SUNK, HAIR_THICKNESS * rise * volume)


def _hair_colour(place: np.ndarray, paint: SkinPaint) -> np.ndarray:
    coordinates = _strand_coordinates(place, paint.seed)
    streaks = 0.45 * value_noise(coordinates, paint.seed + 44, 500)
    streaks = streaks + 0.25 * value_noise(coordinates, paint.seed + 45, 180)
    return np.clip(np.array(paint.palette.hair) * (1 + streaks)[:, None], 0.003, 1)
