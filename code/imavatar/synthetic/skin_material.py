"""What a head's skin looks like and which face-parsing region it is, as functions of the place on the template.

Places are in paint space: metres, axes as FLAME's, with the midpoint between the eyes at EYES_IN_PAINT_SPACE. They
belong to the unshaped template, so the paint sticks to the mesh under every shape, expression and pose.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from imavatar.anatomy import ParsingLabel
from imavatar.synthetic.mesh_tools import sample_texture, value_noise

EYES_IN_PAINT_SPACE = np.array([0.0, 0.03, 0.054])


@dataclass(frozen=True)
class Palette:
    """Base colours, linear RGB in [0, 1]."""

    skin: tuple[float, float, float] = (0.60, 0.40, 0.31)
    hair: tuple[float, float, float] = (0.060, 0.036, 0.022)
    cloth: tuple[float, float, float] = (0.09, 0.16, 0.32)
    iris: tuple[float, float, float] = (0.10, 0.17, 0.20)


@dataclass(frozen=True)
class FaceTextures:
    """Grey textures [h, w] in [0, 1] that say where lips, eyelids, ears and the inside of the mouth are."""

    lips: Float[np.ndarray, "h w"]
    eyelids: Float[np.ndarray, "h w"]
    ears: Float[np.ndarray, "h w"]
    mouth: Float[np.ndarray, "h w"]

    @property
    def lip_line(self) -> float:
        """Texture coordinate u of the line between the lips; the upper lip is left of it."""
        columns = np.flatnonzero(self.lips.max(axis=0) > 0.5)
        return (columns[0] + columns[-1] + 1) / 2 / self.lips.shape[1]


@dataclass(frozen=True)
class SkinPaint:
    """Colours and labels of the skin of one subject.

    `eye_distance` is the distance of an eye from the middle of the face, in paint space. `stubble` is how much of the
    hair's colour the skin has where a beard grows; `bald` skin has no scalp.
    """

    palette: Palette
    textures: FaceTextures
    eye_distance: float
    seed: int
    stubble: float = 0.0
    bald: bool = False

    def colour(self, place: Float[np.ndarray, "n 3"], uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
        """Linear RGB at places in paint space with texture coordinates."""
        base = np.array(self.palette.skin)
        colour = base * (1 + 0.06 * self._mottle(place))[:, None]
        colour = colour * (1 - self._redness(place, uv)[:, None] * np.array([-0.02, 0.20, 0.22]))
        hollow = _pair_of_spots(place, (0.030, 0.018, 0.078), 0.012)
        colour = colour * (1 - 0.22 * hollow[:, None] * np.array([0.6, 0.9, 0.9]))
        beard = self.beard(place)
        colour = colour * (1 - 0.16 * beard[:, None] * np.array([1.0, 0.9, 0.8]))
        hair = np.array(self.palette.hair)
        colour = _mix(colour, hair, self.stubble * beard)
        lips = np.clip(1.2 * sample_texture(self.textures.lips, uv), 0, 1)
        lip_noise = 1 + 0.08 * value_noise(place, self.seed + 3, 500)
        colour = _mix(colour, base * np.array([0.86, 0.47, 0.47]) * lip_noise[:, None], lips)
        colour = colour * (1 - 0.30 * sample_texture(self.textures.eyelids, uv))[:, None]
        colour = _mix(colour, np.array([0.22, 0.055, 0.05]), sample_texture(self.textures.mouth, uv))
        colour = _mix(colour, hair * 1.1, 0.9 * self.scalp(place, uv))
        strands = 1 + 0.35 * value_noise(place * [1, 0.35, 1], self.seed + 8, 900)
        colour = _mix(colour, hair * strands[:, None], 0.85 * np.clip(1.3 * self.brow(place), 0, 1))
        return np.clip(colour, 0.003, 1)

    def label(self, place: Float[np.ndarray, "n 3"], uv: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
        """The face-parsing label at places in paint space with texture coordinates."""
        x, y, _ = place.T
        left = x > 0  # the subject's left is at positive x
        label = np.full(len(place), ParsingLabel.SKIN)
        label[y < _jaw_line(place)] = ParsingLabel.NECK
        nose = (np.abs(x) < 0.019) & (y > -0.022) & (y < 0.022) & (place[:, 2] > 0.078)
        label[nose] = ParsingLabel.NOSE
        ears = sample_texture(self.textures.ears, uv) > 0.5
        label[ears] = np.where(left, ParsingLabel.LEFT_EAR, ParsingLabel.RIGHT_EAR)[ears]
        brows = self.brow(place) > 0.4
        label[brows] = np.where(left, ParsingLabel.LEFT_BROW, ParsingLabel.RIGHT_BROW)[brows]
        lips = sample_texture(self.textures.lips, uv) > 0.4
        upper = uv[:, 0] < self.textures.lip_line
        label[lips] = np.where(upper, ParsingLabel.UPPER_LIP, ParsingLabel.LOWER_LIP)[lips]
        label[sample_texture(self.textures.mouth, uv) > 0.5] = ParsingLabel.MOUTH_INTERIOR
        label[self.scalp(place, uv) > 0.5] = ParsingLabel.HAIR
        return label

    def above_hairline(self, place: Float[np.ndarray, "n 3"], uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
        """How far a place is inside the hair, in metres; negative outside and on the ears."""
        if self.bald:
            return np.full(len(place), -0.05)
        height = place[:, 1] - _hairline(place[:, 2]) + 0.004 * value_noise(place, self.seed + 5, 90)
        ears = sample_texture(self.textures.ears, uv)
        return np.minimum(height, 0.02 - 0.06 * np.clip(1.5 * ears, 0, 1))

    def scalp(self, place: Float[np.ndarray, "n 3"], uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
        """1 where hair grows, 0 elsewhere."""
        return 1 / (1 + np.exp(-np.clip(self.above_hairline(place, uv) / 0.0025, -30, 30)))

    def brow(self, place: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """1 along the middle of the brows, falling to 0 at their rim."""
        along = np.linspace(0, 1, 60)
        eye_height = EYES_IN_PAINT_SPACE[1]
        curve_x = self.eye_distance * (0.40 + 1.42 * along)
        curve_y = eye_height + 0.0135 + 0.0065 * np.sin(np.pi * np.clip(0.95 * along + 0.12, 0, 1))
        width = 0.0048 * np.interp(along, [0, 0.15, 0.6, 1], [0.75, 1, 0.85, 0.3])
        near = (place[:, 2] > 0.04) & (np.abs(place[:, 1] - eye_height - 0.018) < 0.03)
        strength = np.zeros(len(place))
        x, y = np.abs(place[near, 0]), place[near, 1]
        distance = np.hypot(x[:, None] - curve_x, y[:, None] - curve_y) / width
        strength[near] = np.clip(1.25 - distance.min(axis=1, initial=np.inf), 0, 1)
        return strength

    def beard(self, place: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """1 where a shaven beard shows, 0 elsewhere."""
        x, y, z = place.T
        below = 1 / (1 + np.exp((y + 0.028 - 0.5 * np.clip(np.abs(x) - 0.03, 0, None)) / 0.006))
        above = 1 / (1 + np.exp(-(y - _jaw_line(place)) / 0.006))
        return below * above * np.clip((z + 0.01) / 0.02, 0, 1)

    def _mottle(self, place: np.ndarray) -> np.ndarray:
        octaves = ((25, 0.4), (70, 0.35), (180, 0.3), (420, 0.2))
        return sum(
            share * value_noise(place, self.seed + 10 + k, frequency) for k, (frequency, share) in enumerate(octaves)
        )

    def _redness(self, place: np.ndarray, uv: np.ndarray) -> np.ndarray:
        cheeks = _pair_of_spots(place, (0.038, -0.005, 0.07), 0.016)
        nose, chin = _spot(place, (0, -0.004, 0.095), 0.012), _spot(place, (0, -0.07, 0.085), 0.014)
        ears = sample_texture(self.textures.ears, uv)
        return 0.55 * cheeks + 0.7 * nose + 0.3 * chin + 0.5 * ears


def _hairline(z: np.ndarray) -> np.ndarray:
    """Height of the hairline by depth: the nape, round the ear, the temple, the forehead."""
    depths = [-0.14, -0.075, -0.045, -0.02, -0.005, 0.012, 0.02, 0.03, 0.05, 0.075, 0.11]
    heights = [-0.055, -0.05, -0.03, 0.045, 0.06, 0.035, 0.035, 0.06, 0.085, 0.098, 0.105]
    return np.interp(z, depths, heights)


def _jaw_line(place: np.ndarray) -> np.ndarray:
    """Height below which a place belongs to the neck."""
    return np.interp(place[:, 2], [-0.02, 0.0, 0.03, 0.085], [-0.03, -0.055, -0.085, -0.105])


def _spot(place: np.ndarray, centre: tuple, radius: float) -> np.ndarray:
    return np.exp(-((place - np.array(centre)) ** 2).sum(axis=-1) / (2 * radius * radius))


def _pair_of_spots(place: np.ndarray, centre: tuple, radius: float) -> np.ndarray:
    mirrored = (-centre[0], *centre[1:])
    return np.clip(_spot(place, centre, radius) + _spot(place, mirrored, radius), 0, 1)


def _mix(colour: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours on the way to others, of which there may be one."""
    return colour * (1 - share[:, None]) + other * share[:, None]
