"""The commands about the project itself, as those of `imavatar.cli`: `python -m imavatar_lab COMMAND`."""

from imavatar.cli.lazily import lazily_loaded, run_subcommand

SUBCOMMANDS = {
    "benchmark": ("benchmark", "time the searches and a training step against the paper's"),
    "check-parity": ("check_parity", "compare with numbers that the authors' code computed"),
    "evaluate-tracking": ("evaluate_tracking", "how well heads are tracked, on synthetic people and on clips"),
    "reproduce": ("reproduce", "the paper's comparison on synthetic subjects"),
    "tables": ("tables", "the scores and tables of a comparison"),
    "report": ("report", "its plots, grids and report"),
}
"""What users call them, their modules, and what they do."""
COMMANDS = tuple(module for module, _ in SUBCOMMANDS.values())

__getattr__ = lazily_loaded(__name__, COMMANDS)


def main() -> None:
    """`python -m imavatar_lab COMMAND ...`."""
    run_subcommand("imavatar_lab", SUBCOMMANDS, __getattr__, "What imavatar measures about itself.")
