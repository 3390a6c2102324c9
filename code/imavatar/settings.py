"""Fields of settings: a default, and a rule that the value must satisfy, which says in words what it expects.

Every number has an upper bound: none asks for more than a large machine has, fails to fit a C integer, or overflows
single precision. The bounds are far above what is of use.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from imavatar.names import NAME_RULE, is_name, is_plain

RULE = "rule"
"""Key of a field's metadata that holds its rule."""

LARGEST = 1.0e30
"""Of weights, rates and tolerances: fits single precision (3.4e38) with room for what they are multiplied by. Adam's
first step is ten learning rates."""
MAX_SEED = 2**63 - 1
"""torch's."""
MAX_EPOCHS = 1_000_000
MAX_STEPS = 100_000_000
MAX_MILESTONES = 1000
MAX_RAYS = 2**18
"""At once. With the widest layer (2^13) the values of one layer are 8 GB."""
MAX_SIDE = 8192
"""Pixels of an image."""
MAX_CELLS = 1024
"""Along a mesh's grid: its values and what marching cubes makes of them are about 20 GB."""
MAX_SAMPLES = 1024
"""On a ray."""
MAX_ITERATIONS = 1000
"""Of a numerical method that converges in ten."""
MAX_WIDTH = 8192
MAX_LAYERS = 64
MAX_FEATURES = 4096
MIN_EXTENT, MAX_EXTENT = 1.0e-6, 1000.0
"""Model units; a head is about one across."""
MAX_FRAME = 10_000_000
"""A recording of four days at 25 frames a second."""


@dataclass(frozen=True)
class Rule:
    """A condition on a value of the right type, and how a message says it."""

    expected: str
    holds: Callable[[object], bool]


def key(default: Any, rule: Rule) -> Any:
    """A dataclass field with a default and a rule."""
    return dataclasses.field(default=default, metadata={RULE: rule})


def required(rule: Rule) -> Any:
    """A dataclass field that a file must give."""
    return dataclasses.field(metadata={RULE: rule})


def above(limit: int | float, most: int | float) -> Rule:
    """Greater than the limit."""
    return Rule(f"a number above {limit} and at most {most}", lambda value: limit < value <= most)


def at_least(limit: int | float, most: int | float) -> Rule:
    """The limit or greater."""
    return Rule(f"a number of at least {limit} and at most {most}", lambda value: limit <= value <= most)


def between(low: int | float, high: int | float) -> Rule:
    """In a closed interval."""
    return Rule(f"a number from {low} to {high}", lambda value: low <= value <= high)


def one_of(*choices: object) -> Rule:
    """One of a few values."""
    return Rule(" or ".join(map(str, choices)), lambda value: value in choices)


def _is_ascending(values: Sequence[int]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))


def _is_subsample(value: int | tuple[int, ...]) -> bool:
    """An int takes every n-th frame; two ints are a range; more are indices."""
    if isinstance(value, int):
        return 1 <= value <= MAX_FRAME
    if len(value) == 2:
        return 0 <= value[0] < value[1] <= MAX_FRAME
    return len(value) > 2 and min(value) >= 0 and max(value) < MAX_FRAME


FRACTION = Rule("a number above 0 and at most 1", lambda value: 0 < value <= 1)
WEIGHT = at_least(0, LARGEST)
RATE = above(0, LARGEST)
LENGTH = at_least(MIN_EXTENT, MAX_EXTENT)
OCTAVES = between(0, 16)
CELLS = between(8, MAX_CELLS)
RAYS = above(0, MAX_RAYS)
FEATURES = above(0, MAX_FEATURES)
STEPS = at_least(0, MAX_STEPS)
EPOCHS = Rule(
    f"a list of ascending epochs, none negative: at most {MAX_MILESTONES}, each at most {MAX_EPOCHS}",
    lambda values: (
        len(values) <= MAX_MILESTONES and _is_ascending(values) and all(0 <= value <= MAX_EPOCHS for value in values)
    ),
)
WIDTHS = Rule(
    f"a list of at least one positive layer width: at most {MAX_LAYERS}, each at most {MAX_WIDTH}",
    lambda values: 0 < len(values) <= MAX_LAYERS and all(0 < value <= MAX_WIDTH for value in values),
)
LAYERS = Rule(
    f"a list of ascending layer numbers, from 1 to {MAX_LAYERS}",
    lambda values: _is_ascending(values) and all(1 <= value <= MAX_LAYERS for value in values),
)
SIZE = Rule(
    f"[height, width], both positive and at most {MAX_SIDE}",
    lambda values: all(0 < value <= MAX_SIDE for value in values),
)
NAME = Rule(NAME_RULE, is_name)
NAMES = Rule(
    f"a list of at least one name, none of them twice; each {NAME_RULE}",
    lambda values: bool(values) and all(is_name(value) for value in values) and len(set(values)) == len(values),
)
TEXT = Rule("text that is not empty, without control characters", lambda value: value.strip() != "" and is_plain(value))
"""Of paths, and of names that are compared only."""
SUBSAMPLE = Rule(
    f"n for every n-th frame, [first, end] for a range, or a list of more than two frames, all at most {MAX_FRAME}",
    _is_subsample,
)
