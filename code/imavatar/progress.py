"""Progress of long loops: a bar in a terminal, a line now and then in a log."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LOG_SECONDS = 10.0
"""Between two lines in a log."""
COUNTED = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]"
UNCOUNTED = "{desc}: {n_fmt} [{elapsed}, {rate_fmt}]"


class _Lines:
    """What would redraw a bar on the standard error becomes a line of its own."""

    def __init__(self):
        self._stream = sys.stderr

    def write(self, text: str) -> None:
        if text.strip():
            self._stream.write(text.strip() + "\n")

    def flush(self) -> None:
        self._stream.flush()


def progress_bar(what: str, total: int | None = None) -> tqdm:
    """A bar on the standard error to be moved by `update(n)`; a context manager.

    Where the standard error is no terminal, lines of text at most every `LOG_SECONDS`, the first and the last one
    included. `TQDM_DISABLE=1` in the environment silences both.

    Args:
        what: is counted, such as "frames rendered".
        total: how many there will be; None where that is not known.
    """
    if sys.stderr.isatty():
        return tqdm(desc=what, total=total, dynamic_ncols=True)
    layout = UNCOUNTED if total is None else COUNTED
    return tqdm(desc=what, total=total, file=_Lines(), mininterval=LOG_SECONDS, miniters=1, bar_format=layout)


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """The items, with a bar that counts those that the loop has finished; see `progress_bar`."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    with progress_bar(what, total) as bar:
        for item in items:
            yield item
            bar.update(1)
