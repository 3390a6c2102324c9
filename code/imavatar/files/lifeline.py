"""A named pipe from a command to those that it starts: when the command ends, however it does, they end too."""

import contextlib
import os
import select
import signal
import stat
import threading
from pathlib import Path

VARIABLE = "IMAVATAR_LIFELINE"
"""Of the environment: the pipe that a command's child is to look at. Children of children inherit it."""


class Lifeline:
    """The end that the starting process holds. Nothing is ever written; the system closes it with the process.

    What lies where the pipe is made is removed.
    """

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        # Open for both, so that opening it does not wait for a reader.
        self._end: int | None = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of children has to say."""
        return {VARIABLE: str(self.path)}

    def cut(self) -> None:
        """Let all children know that they are to end."""
        if self._end is not None:
            os.close(self._end)
            self._end = None
            self.path.unlink(missing_ok=True)


def end_with_parent() -> None:
    """In a process that was started with a lifeline: have SIGTERM sent to its main thread when that is cut."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    try:
        end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        # The pipe is gone, and with it who held it; on another machine of a cluster it never was there.
        return
    if not stat.S_ISFIFO(os.fstat(end).st_mode):
        os.close(end)
        return
    threading.Thread(target=_wait, args=(end,), daemon=True).start()


def _wait(end: int) -> None:
    hung_up = select.poll()
    hung_up.register(end, 0)
    with contextlib.suppress(OSError):
        hung_up.poll()
    # Not to the process: a signal that another thread receives would not wake a main thread that waits.
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
