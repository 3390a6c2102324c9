"""Commands whose modules are loaded when they are asked for."""

import importlib
from collections.abc import Callable, Collection

from imavatar.cli.common import guarded

MAIN = "_main"


def lazily_loaded(package: str, commands: Collection[str]) -> Callable[[str], Callable[..., None]]:
    """What a package of commands has as its `__getattr__`: `<command>_main` is that of its module `<command>`.

    Loading takes seconds and can fail or be interrupted, as the command itself, and ends with one message then, too.
    """

    def main_of(name: str) -> Callable[..., None]:
        command = name.removesuffix(MAIN)
        if command == name or command not in commands:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(guarded(lambda: importlib.import_module(f"{package}.{command}")), name)

    return main_of
