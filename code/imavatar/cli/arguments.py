"""Types of arguments: what argparse refuses with one message, before a command has done anything.

Bounds are far from what is useful. Beyond them a number means a slip of the finger, and memory or days lost to it.
"""

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterable

from imavatar.names import NAME_RULE, is_name, shown

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
                message = (
                    f"warning: {old} is called {self.option_strings[0]} now; the old name goes with the next version"
                )
                print(message, file=sys.stderr)
            setattr(namespace, self.dest, values)

    return Renamed


def whole(least: int, most: int) -> Callable[[str], int]:
    """Of a whole number, both bounds included."""

    def read(text: str) -> int:
        if not WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, not {_quoted(text)}")
        return int(text)

    return read


def between(least: float, most: float) -> Callable[[str], float]:
    """Of a number, both bounds included."""

    def read(text: str) -> float:
        value = _float(text)
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {most:g}, not {_quoted(text)}")
        return value

    return read


def positive(most: float) -> Callable[[str], float]:
    """Of a number above zero."""

    def read(text: str) -> float:
        value = _float(text)
        if value is None or not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"expected a number above 0, at most {most:g}, not {_quoted(text)}")
        return value

    return read


def whole_numbers(*names: str) -> Callable[[str], tuple[int, ...]]:
    """Of so many whole numbers from 0 on, with commas between them."""

    def read(text: str) -> tuple[int, ...]:
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != len(names) or not all(WHOLE.fullmatch(part) and int(part) >= 0 for part in parts):
            raise argparse.ArgumentTypeError(
                f"expected {len(names)} whole numbers from 0 on, {','.join(names)}, not {_quoted(text)}"
            )
        return tuple(map(int, parts))

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


def plain_name(text: str) -> str:
    """Of what becomes the name of a file or a folder."""
    if not is_name(text):
        raise argparse.ArgumentTypeError(f"expected {NAME_RULE}, not {_quoted(text)}")
    return text


def _quoted(text: str) -> str:
    return f"'{shown(text)}'"


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
