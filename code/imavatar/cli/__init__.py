"""The commands: arguments, logging, exit codes. Each script in `scripts/` calls one function.

`imavatar.cli.animate_main` is that of `imavatar.cli.animate`, and so on. A command's module is loaded when it is asked
for: that takes seconds and can fail or be interrupted, as the command itself, and ends with one message then, too.
"""

import importlib

from imavatar.cli.common import guarded

MAIN = "_main"
COMMANDS = (
    "animate",
    "benchmark",
    "build_head",
    "check_data",
    "check_parity",
    "evaluate",
    "exp_runner",
    "export_avatar",
    "export_web",
    "fetch_assets",
    "make_synthetic",
    "preprocess",
    "reproduce",
    "track_images",
    "view",
)


def __getattr__(name: str):
    """The function of a command, `<command>_main`."""
    command = name.removesuffix(MAIN)
    if command == name or command not in COMMANDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(guarded(lambda: importlib.import_module(f"{__name__}.{command}")), name)
