"""How subjects differ besides their faces: colours, hair, beard, glasses, clothes and the light that they stand in."""

import colorsys
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from imavatar.synthetic.skin_material import Palette


class Hair(Enum):
    """What grows on a scalp."""

    NONE = "none"
    SHORT = "short"
    LONG = "long"


@dataclass(frozen=True)
class Light:
    """The room's, turned about the vertical axis (radians); the key light's strength; how warm it is (1: neutral)."""

    turn: float = 0.0
    key: float = 1.0
    warmth: float = 1.0


@dataclass(frozen=True)
class Appearance:
    """Of one subject. `grey` is the share of its hair's colour that age has taken."""

    palette: Palette = field(default_factory=Palette)
    hair: Hair = Hair.SHORT
    n_strands: int = 0
    beard: bool = False
    glasses: bool = False
    light: Light = field(default_factory=Light)


KINDS = (
    {"hair": Hair.SHORT},
    {"hair": Hair.LONG},
    {"hair": Hair.NONE},
    {"hair": Hair.SHORT, "glasses": True},
    {"hair": Hair.SHORT, "beard": True},
)
"""The first subjects are one of each kind, so that a small data set has them all."""

SKINS = ((0.66, 0.46, 0.37), (0.60, 0.40, 0.31), (0.46, 0.28, 0.19), (0.32, 0.18, 0.115), (0.20, 0.105, 0.065))
HAIRS = ((0.012, 0.009, 0.008), (0.060, 0.036, 0.022), (0.13, 0.070, 0.035), (0.32, 0.21, 0.10), (0.20, 0.060, 0.020))
IRISES = ((0.10, 0.17, 0.20), (0.07, 0.13, 0.05), (0.06, 0.03, 0.015), (0.03, 0.018, 0.012), (0.13, 0.16, 0.18))
GREY = np.array([0.36, 0.35, 0.34])
GREY_AGE = 0.75
N_STRANDS = {Hair.NONE: 0, Hair.SHORT: 14000, Hair.LONG: 20000}


def random_appearance(index: int, age: float, generator: np.random.Generator) -> Appearance:
    """The look of subject `index` of a data set.

    Args:
        age: 0...1; hair turns grey above GREY_AGE.
    """
    kind = KINDS[index % len(KINDS)]
    if index >= len(KINDS):
        kind = {
            "hair": Hair(generator.choice([hair.value for hair in Hair], p=[0.15, 0.5, 0.35])),
            "glasses": bool(generator.uniform() < 0.25),
            "beard": bool(generator.uniform() < 0.25),
        }
    hair = np.array(HAIRS[generator.integers(len(HAIRS))]) * generator.uniform(0.8, 1.3)
    grey = np.clip((age - GREY_AGE) / (1 - GREY_AGE), 0, 1)
    cloth = colorsys.hsv_to_rgb(generator.uniform(), generator.uniform(0.2, 0.8), generator.uniform(0.06, 0.4))
    palette = Palette(
        skin=_between(SKINS, generator.uniform(0, len(SKINS) - 1)),
        hair=tuple(((1 - grey) * hair + grey * GREY).tolist()),
        cloth=cloth,
        iris=tuple((np.array(IRISES[generator.integers(len(IRISES))]) * generator.uniform(0.8, 1.2)).tolist()),
    )
    light = Light(
        turn=generator.uniform(-1.2, 1.2), key=generator.uniform(0.6, 1.3), warmth=generator.uniform(0.92, 1.08)
    )
    return Appearance(palette=palette, n_strands=N_STRANDS[kind["hair"]], light=light, **kind)


def _between(colours: tuple[tuple[float, ...], ...], place: float) -> tuple[float, ...]:
    """A colour of a scale, linear between its entries."""
    return tuple(float(np.interp(place, range(len(colours)), channel)) for channel in zip(*colours, strict=True))
