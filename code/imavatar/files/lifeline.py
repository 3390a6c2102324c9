"""A pipe from a command to those that it starts: when the command ends, however it does, they see it and end too."""

import contextlib
import os
import signal
import stat
import threading

VARIABLE = "IMAVATAR_LIFELINE"
"""Of the environment: the number of the descriptor that a command's child is to look at."""


class Lifeline:
    """The end that the starting process holds. Nothing is ever written; the system closes it with the process."""

    def __init__(self):
        self._read, self._write = os.pipe()
        self._open = True

    @property
    def descriptor(self) -> int:
        """What children are given, as `pass_fds` of subprocess.Popen."""
        return self._read

    @property
    def environment(self) -> dict[str, str]:
        """What their environment has to say."""
        return {VARIABLE: str(self._read)}

    def cut(self) -> None:
        """Let all children know that they are to end."""
        if self._open:
            self._open = False
            os.close(self._write)
            os.close(self._read)


def end_with_parent() -> None:
    """In a process that was started with a lifeline: have SIGTERM sent to its main thread when that is cut."""
    text = os.environ.pop(VARIABLE, None)
    if text is None or not text.isdecimal():
        return
    descriptor = int(text)
    with contextlib.suppress(OSError):
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return
        # Its own children have another parent.
        os.set_inheritable(descriptor, False)
        threading.Thread(target=_wait, args=(descriptor,), daemon=True).start()


def _wait(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.read(descriptor, 1)
    # Not to the process: a signal that another thread receives would not wake a main thread that waits.
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
