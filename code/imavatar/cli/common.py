"""What all commands share: errors become one message, log lines go to the terminal, a device is chosen."""

import ctypes
import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from imavatar.cli.output import PipeHandler, give_up_output, nobody_reads_output, prepare_output, say_last
from imavatar.cli.signals import Stopped, chain, signals_raise
from imavatar.cli.unexpected import describe
from imavatar.errors import ImavatarError
from imavatar.files.lifeline import end_with_parent

Result = TypeVar("Result")

USER_ERROR = 2
INTERRUPTED = 130
UNREAD = 141
"""A shell's code for a command that wrote to a pipe without a reader."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of the options in glibc's malloc.h."""
KEPT_BYTES = 2**31 - 1
LARGEST_FROM_HEAP = 2**30


def command(main: Callable[..., None]) -> Callable[..., None]:
    """For the function of a command, which reads its arguments too; see `run_command`."""

    @functools.wraps(main)
    def guarded_main(*args, **options) -> None:
        run_command(lambda: main(*args, **options))

    return guarded_main


def run_command(command: Callable[[], None]) -> None:
    """Run a command, with log lines on the standard output; see `guarded`."""
    prepare_output()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[PipeHandler(sys.stdout)])
    guarded(command)


def guarded(work: Callable[[], Result]) -> Result:
    """Do something; whatever ends it early becomes one message and an exit code, no traceback.

    2: any error; of those that nobody has foreseen the traceback goes into a file. 130, 143, 129: interrupted,
    terminated, hung up; both after all has been cleaned up. 141 and no message: nobody reads the output any more. One
    within another does no harm: the inner one's SystemExit passes.
    """
    # Threads of torch's OpenMP that wait: spinning long costs a shared machine, sleeping at once costs an idle one
    # almost half of its speed. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_freed_memory()
    prepare_output()
    with signals_raise():
        try:
            end_with_parent()
            return _without_errors(work)
        except Stopped as stopped:
            say_last(stopped.word)
            sys.exit(stopped.exit_code)
        except KeyboardInterrupt:
            say_last("interrupted")
            sys.exit(INTERRUPTED)


def _without_errors(work: Callable[[], Result]) -> Result:
    try:
        return _flushed(work)
    except (ImavatarError, OSError) as error:
        # What the file system refuses (no space, no permission) is the user's to solve.
        message = None if _is_of_unread_output(error) else str(error) or type(error).__name__
    except Exception as error:
        message = _unexpected(error)
    if message is None:
        give_up_output()
        sys.exit(UNREAD)
    say_last(f"error: {message}")
    sys.exit(USER_ERROR)


def _flushed(work: Callable[[], Result]) -> Result:
    """Where output can't be written is found out here, while it can still be said."""
    try:
        result = work()
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return result


def _is_of_unread_output(error: BaseException) -> bool:
    """Whether a `print` has failed that nobody reads; progress may be printed from inside of what writes a file."""
    return any(isinstance(cause, BrokenPipeError) for cause in chain(error)) and nobody_reads_output()


def _unexpected(error: Exception) -> str:
    try:
        return describe(error)
    except Exception as second:
        # There may be no memory, or no source left; how the first error reads must not depend on that.
        return f"{type(error).__name__} (and its traceback could not be written: {type(second).__name__})"


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory instead of handing it back to the system; whether it could be asked to.

    Layers of a few thousand points are arrays of some 10 MB. By default every one of them is mapped anew and given back
    after use, and the system clears its pages each time: that can take as long as the arithmetic. The peak of what the
    process uses stays about the same; it is just not given back in between. Only with glibc, nothing happens elsewhere.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_FROM_HEAP)) and bool(mallopt(TRIM_THRESHOLD, KEPT_BYTES))
