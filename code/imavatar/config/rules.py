"""Rules that a setting's value must satisfy; each says in words what it expects."""

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass

RULE = "rule"
"""Key of a field's metadata that holds its rule."""


@dataclass(frozen=True)
class Rule:
    """A condition on a value of the right type, and how a message says it."""

    expected: str
    holds: Callable[[object], bool]


def key(default, rule: Rule):
    """A dataclass field with a default and a rule."""
    return dataclasses.field(default=default, metadata={RULE: rule})


def required(rule: Rule):
    """A dataclass field that a file must give."""
    return dataclasses.field(metadata={RULE: rule})


def above(limit: int | float) -> Rule:
    """Greater than the limit."""
    return Rule(f"a number above {limit}", lambda value: value > limit)


def at_least(limit: int | float) -> Rule:
    """The limit or greater."""
    return Rule(f"a number of at least {limit}", lambda value: value >= limit)


def between(low: int | float, high: int | float) -> Rule:
    """In a closed interval."""
    return Rule(f"a number from {low} to {high}", lambda value: low <= value <= high)


def one_of(*choices) -> Rule:
    """One of a few values."""
    named = " or ".join(str(choice) for choice in choices)
    return Rule(named, lambda value: value in choices)


def _is_ascending(values) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))


def _is_subsample(value) -> bool:
    """An int takes every n-th frame; two ints are a range; more are indices."""
    if isinstance(value, int):
        return value >= 1
    if len(value) == 2:
        return 0 <= value[0] < value[1]
    return len(value) > 2 and min(value) >= 0


FRACTION = Rule("a number above 0 and at most 1", lambda value: 0 < value <= 1)
EPOCHS = Rule(
    "a list of ascending epochs, none negative",
    lambda values: _is_ascending(values) and all(value >= 0 for value in values),
)
WIDTHS = Rule(
    "a list of at least one positive layer width",
    lambda values: len(values) > 0 and all(value > 0 for value in values),
)
LAYERS = Rule(
    "a list of ascending layer numbers, from 1",
    lambda values: _is_ascending(values) and all(value >= 1 for value in values),
)
SIZE = Rule("[height, width], both positive", lambda values: all(value > 0 for value in values))
NAME = Rule("a name that is not empty", lambda value: value.strip() != "")
NAMES = Rule("a list of at least one name", lambda values: bool(values) and all(v.strip() for v in values))
SUBSAMPLE = Rule(
    "n for every n-th frame, [first, end] for a range, or a list of more than two frames",
    _is_subsample,
)
