"""Signals that end a command: all of them as Ctrl-C does, so that what it has begun is cleaned up."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
"""What a command that is ended so says last."""
if hasattr(signal, "SIGHUP"):  # not on Windows
    WORDS[signal.SIGHUP] = "hung up"
SHELLS_OFFSET = 128
"""Shells give a command that a signal ended this code, plus the signal's number."""


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end. What cleans up after Ctrl-C cleans up after this."""

    def __init__(self, number: int):
        super().__init__(WORDS[number])
        self.word = WORDS[number]
        self.exit_code = SHELLS_OFFSET + number


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """While the block runs, the first signal that asks to end raises Stopped in the main thread.

    Further ones are ignored as long as the first one's exception is on its way, so that a second Ctrl-C doesn't break
    the cleaning. A signal that is ignored (`nohup`, a shell's background) or handled by others is left to them; the
    handlers of before come back at the end. In other threads nothing happens, as Python allows no more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()

    def stop(number, _frame) -> None:
        if os.getpid() != process:
            # A forked process is its parent's to clean up after: it ends as it would without this handler.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not _stopping():
            # Until the process has ended, its last steps outside this block included.
            atexit.register(_ignore_signals)
            raise Stopped(number)

    replaced = {}
    try:
        for number in WORDS:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                replaced[number] = signal.signal(number, stop)
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _stopping() -> bool:
    """Whether a Stopped is being dealt with; one that somebody has caught and dropped is not."""
    return any(isinstance(error, Stopped) for error in chain(sys.exc_info()[1]))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it came from or was raised while dealing with."""
    waiting, seen = [error], set()
    while waiting:
        error = waiting.pop()
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            yield error
            waiting += [error.__context__, error.__cause__]


def _ignore_signals() -> None:
    for number in WORDS:
        signal.signal(number, signal.SIG_IGN)
