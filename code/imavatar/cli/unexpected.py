"""Errors that nobody has foreseen: one line for the terminal, the rest in a file for who is to find the cause."""

import os
import platform
import shlex
import sys
import tempfile
import traceback
from datetime import datetime
from importlib import metadata
from pathlib import Path

import imavatar

LONGEST_MESSAGE = 300
PACKAGES = ("torch", "numpy")
PREFIX, SUFFIX = "imavatar-error-", ".txt"


def describe(error: Exception) -> str:
    """One line: what was raised, where in this project, and the file that holds the full traceback."""
    if isinstance(error, MemoryError):
        # What did not fit is still held by the functions that failed.
        traceback.clear_frames(error.__traceback__)
    line = f"{_message(error)} (raised at {_place(error)}"
    try:
        return f"{line}; the traceback is in {_write_report(error)})"
    except OSError as failure:
        return f"{line}; the traceback could not be written: {failure.strerror})"


def _message(error: Exception) -> str:
    """Kind and text of an error, shortened, without line ends and control characters."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} ..."


def _place(error: Exception) -> str:
    """File and line of the innermost function of this project, else of any."""
    folder = Path(imavatar.__file__).parent
    found = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(path.relative_to(folder.parent), line) for path, line in found if path.is_relative_to(folder)]
    path, line = (own or found)[-1]
    return f"{path}:{line}"


def _write_report(error: Exception) -> str:
    """The name of a new file, for its owner's eyes only, with the traceback and what it came from."""
    versions = [f"imavatar {imavatar.__version__}", f"Python {platform.python_version()}", platform.platform()]
    versions += [f"{name} {_version(name)}" for name in PACKAGES]
    parts = [
        f"command: {shlex.join([sys.executable, *sys.argv])}",
        f"folder: {_folder()}",
        f"time: {datetime.now().astimezone().isoformat(timespec='seconds')}",
        f"versions: {', '.join(versions)}",
        "",
        "".join(traceback.format_exception(error)),
    ]
    descriptor, name = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(parts))
    except OSError:
        os.unlink(name)
        raise
    return name


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        return f"unknown ({error.strerror})"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
