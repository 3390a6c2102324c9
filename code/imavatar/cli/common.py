"""What all commands share: errors become one message, log lines go to the terminal, a device is chosen."""

import logging
import os
import sys
import time
from collections.abc import Callable

from imavatar.cli.allocator import keep_freed_memory
from imavatar.errors import ImavatarError

USER_ERROR = 2
INTERRUPTED = 130
LOG_SECONDS = 10.0


def run_command(command: Callable[[], None]) -> None:
    """Run a command; a user's error ends it with one message and exit code 2, no traceback."""
    # Threads of torch's OpenMP that wait: spinning long costs a shared machine, sleeping at once costs an idle one
    # almost half of its speed. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_freed_memory()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        command()
    except ImavatarError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except OSError as error:
        # What the file system refuses (no space, no permission) is the user's to solve.
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)


def choose_device():
    """CUDA where torch finds it, else the CPU.

    There numbers too small to be normal are taken for zero from now on: they are of no use, and slow.
    """
    import torch

    torch.set_flush_denormal(True)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class ProgressLine:
    """Progress of a loop: a line that is rewritten in a terminal, a line every tenth in a log."""

    def __init__(self, what: str):
        self.what = what
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if sys.stdout.isatty():
            end = "\n" if done == total else ""
            print(f"\r{self.what}: {done}/{total}", end=end, flush=True)
            return
        tenth = 10 * done // max(total, 1)
        if tenth > self._shown:
            self._shown = tenth
            print(f"{self.what}: {done}/{total}", flush=True)


class TaskProgress:
    """Progress of several tasks in turn, whose totals may not be known."""

    def __init__(self):
        self._task = ""
        self._shown = 0.0

    def __call__(self, task: str, done: int, total: int | None) -> None:
        """Show how much of a task is done: in a terminal always, in a log every few seconds."""
        text = f"{task}: {done}" if total is None else f"{task}: {done}/{total}"
        new, finished = task != self._task, done == total
        if sys.stdout.isatty():
            print(f"{chr(10) if new and self._task else ''}\r{text}", end="", flush=True)
        elif new or finished or time.monotonic() - self._shown > LOG_SECONDS:
            self._shown = time.monotonic()
            print(text, flush=True)
        self._task = task
