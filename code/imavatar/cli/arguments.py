"""Types of arguments: what argparse refuses with one message, before a command has done anything.

Bounds are far from what is useful. Beyond them a number means a slip of the finger, and memory or days lost to it.
"""

import argparse
import dataclasses
import math
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from imavatar.names import NAME_RULE, is_name, shown

Options = TypeVar("Options")
Value = TypeVar("Value")

MOST_FRAMES = 1_000_000
MOST_SEED = 2**31 - 1
MOST_SIDE = 8192
"""Pixels along a picture's side."""
MOST_SUPERSAMPLE = 16
MOST_FACES = 5_000_000
MOST_CELLS = 1024
"""Along the longest side of a grid, whose memory grows with their third power."""
MOST_PROCESSES = 1024
SLOWEST, FASTEST = 0.01, 1000.0
"""Frames a second; video files know no slower ones."""
WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def renamed(old: str) -> type[argparse.Action]:
    """An argument that may still be given by its old name, which is warned of."""

    class Renamed(argparse.Action):
        def __call__(self, parser, namespace, values, option_string=None):
            if option_string == old:
                new = self.option_strings[0]
                print(f"warning: {old} is called {new} now; the old name goes with the next version", file=sys.stderr)
            setattr(namespace, self.dest, values)

    return Renamed


def options_of(kind: type[Options], args: argparse.Namespace, **others: Any) -> Options:
    """A record of options; its fields are the arguments of the same names, or given as `others`."""
    names = [field.name for field in dataclasses.fields(kind) if field.name in args]
    return kind(**{name: getattr(args, name) for name in names} | others)


def _argument(expected: str, read: Callable[[str], Value | None]) -> Callable[[str], Value]:
    """A type for argparse; `read` gives None for what it refuses."""

    def checked(text: str) -> Value:
        value = read(text)
        if value is None:
            raise argparse.ArgumentTypeError(f"expected {expected}, not {_quoted(text)}")
        return value

    return checked


def whole(least: int, most: int) -> Callable[[str], int]:
    """Of a whole number, both bounds included."""
    return _argument(
        f"a whole number from {least} to {most}",
        lambda text: int(text) if WHOLE.fullmatch(text) and least <= int(text) <= most else None,
    )


def between(least: float, most: float) -> Callable[[str], float]:
    """Of a number, both bounds included."""
    return _argument(
        f"a number from {least:g} to {most:g}", lambda text: value if least <= (value := _float(text)) <= most else None
    )


def positive(most: float) -> Callable[[str], float]:
    """Of a number above zero."""
    return _argument(
        f"a number above 0, at most {most:g}", lambda text: value if 0 < (value := _float(text)) <= most else None
    )


def square(text: str) -> tuple[int, ...]:
    """Of a square's left, top and side, with commas between them."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(WHOLE.fullmatch(part) and int(part) >= 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected 3 whole numbers from 0 on, x,y,size, not {_quoted(text)}")
    return tuple(map(int, parts))


def square_or(word: str) -> Callable[[str], tuple[int, ...] | str]:
    """Of a square, or a word in its place."""
    return lambda text: word if text == word else square(text)


def point_or(word: str) -> Callable[[str], tuple[int, ...] | None]:
    """Of a pixel's column and row, with a comma between them; None for a word in its place."""

    def read(text: str) -> tuple[int, ...] | None:
        if text == word:
            return None
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 2 or not all(WHOLE.fullmatch(part) and int(part) >= 0 for part in parts):
            raise argparse.ArgumentTypeError(
                f"expected {word}, or two whole numbers from 0 on, x,y, not {_quoted(text)}"
            )
        return int(parts[0]), int(parts[1])

    return read


def frame_counts(text: str, sequences: Iterable[str]) -> dict[str, int]:
    """Numbers of frames of some sequences, from SEQUENCE=N,..."""
    known, counts = list(sequences), {}
    for part in text.split(","):
        name, _, count = part.partition("=")
        if name not in known or not WHOLE.fullmatch(count) or not 1 <= int(count) <= MOST_FRAMES:
            raise argparse.ArgumentTypeError(
                f"{_quoted(part)} is not SEQUENCE=N, N from 1 to {MOST_FRAMES}; sequences are {', '.join(known)}"
            )
        counts[name] = int(count)
    return counts


def names_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Of names, with commas between them, out of those that are known."""
    known = list(known)

    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown {shown(', '.join(unknown))}; known: {', '.join(known)}")
        return names

    return read


plain_name = _argument(NAME_RULE, lambda text: text if is_name(text) else None)
"""Of what becomes the name of a file or a folder."""


def _quoted(text: str) -> str:
    return f"'{shown(text)}'"


def _float(text: str) -> float:
    """NaN, which is in no interval, for what is no number."""
    try:
        return float(text)
    except ValueError:
        return math.nan
