"""A command without torch, run by the tests in a process of its own: argument 1 says what it does."""

# ruff: noqa: T201 (it is a command)
import contextlib
import logging
import sys
import time
from pathlib import Path

from imavatar.cli.common import command, run_command
from imavatar.errors import DataError
from imavatar.files.atomic import replacing
from imavatar.files.locks import LOCK_FILE, locked


@command
def main(what: str, *arguments: str) -> None:
    """Do what is asked for."""
    globals()[what](*arguments)


def work(folder: str, seconds: str = "0") -> None:
    """Hold a lock and write a file for a minute; cleaning up takes so long."""
    place = Path(folder)
    with locked(place / LOCK_FILE, "a test"), replacing(place / "result.txt") as temporary:
        try:
            temporary.write_text("half")
            print("ready", flush=True)
            time.sleep(60)
        finally:
            time.sleep(float(seconds))
            (place / "cleaned").touch()


def swallow(folder: str) -> None:
    """Let the first signal get lost, as in a callback of a compiled library."""
    with contextlib.suppress(KeyboardInterrupt):
        print("ready", flush=True)
        time.sleep(60)
    print("lost", flush=True)
    work(folder)


def nested(folder: str) -> None:
    """A command in a command."""
    run_command(lambda: work(folder))


def lines(how: str) -> None:
    """Print for ever, in one of the ways in which commands do."""
    while True:
        if how == "log":
            logging.getLogger("test").info("x" * 1000)
        elif how == "progress":
            try:
                print("x" * 1000)
            except OSError as error:
                raise DataError("video.mp4: cannot be written (Broken pipe)") from error
        else:
            print("x" * 1000)


def once(code: str) -> None:
    """Print a line and end."""
    print("a line")
    if code != "0":
        sys.exit(int(code))


if __name__ == "__main__":
    main(*sys.argv[1:])
