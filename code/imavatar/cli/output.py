"""What a command prints, where that leads to a closed pipe or a full disk."""

import contextlib
import logging
import os
import select
import sys


class PipeHandler(logging.StreamHandler):
    """Log lines for the standard output. Where nobody reads it any more the command ends, as by a `print`."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Called while a record's exception is being handled."""
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            raise
        super().handleError(record)


def prepare_output() -> None:
    """See that printing fails only where its target does: not without one (`>&-`), and at no letter."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (is open as long as the process)
        if hasattr(getattr(sys, name), "reconfigure"):
            # Names of files need not be text, and not every terminal shows every letter.
            getattr(sys, name).reconfigure(errors="backslashreplace")


def say_last(message: str) -> None:
    """Print a last message to the standard error; nothing that is left to be printed fails after it."""
    with contextlib.suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)
    give_up_output()


def give_up_output() -> None:
    """Print what can be printed, and drop the rest: Python would complain about it when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # ValueError: it has been closed
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def nobody_reads_output() -> bool:
    """Whether the standard output is a pipe whose reader has gone, as `head` does."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError, AttributeError):
        return False  # no file, closed, or no poll (Windows)
