"""The functions of commands by name, of both packages."""

import imavatar.cli
import imavatar_lab.cli


def main_of(name: str):
    package = imavatar_lab.cli if name in imavatar_lab.cli.COMMANDS else imavatar.cli
    return getattr(package, f"{name}_main")
