"""Commands whose modules are loaded when they are asked for."""

import argparse
import importlib
import sys
from collections.abc import Callable, Collection, Mapping

import imavatar
from imavatar.cli.common import guarded

MAIN = "_main"

Main = Callable[..., None]


def lazily_loaded(package: str, commands: Collection[str]) -> Callable[[str], Main]:
    """What a package of commands has as its `__getattr__`: `<command>_main` is that of its module `<command>`.

    Loading takes seconds and can fail or be interrupted, as the command itself, and ends with one message then, too.
    """

    def main_of(name: str) -> Main:
        command = name.removesuffix(MAIN)
        if command == name or command not in commands:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(guarded(lambda: importlib.import_module(f"{package}.{command}")), name)

    return main_of


def run_subcommand(
    program: str, commands: Mapping[str, tuple[str, str]], main_of: Callable[[str], Main], description: str
) -> None:
    """Run the command that the first argument names; `commands` have their modules and descriptions by name."""
    width = max(map(len, commands)) + 2
    listing = "\n".join(f"  {name:<{width}}{what}" for name, (_, what) in commands.items())
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"commands:\n{listing}\n\n{program} COMMAND --help says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"imavatar {imavatar.__version__}")
    parser.add_argument("command", choices=commands, metavar="COMMAND")
    args = parser.parse_args(sys.argv[1:2] or ["--help"])
    # A command's own parser finds its name and its arguments here.
    sys.argv = [f"{program} {args.command}", *sys.argv[2:]]
    main_of(f"{commands[args.command][0]}{MAIN}")()
