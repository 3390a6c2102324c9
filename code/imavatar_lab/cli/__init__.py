"""The commands about the project itself, as those of `imavatar.cli`."""

from imavatar.cli.lazily import lazily_loaded

COMMANDS = ("benchmark", "check_parity", "reproduce")

__getattr__ = lazily_loaded(__name__, COMMANDS)
