"""`scripts/check_parity.py`: this project's numbers against recorded ones of the authors' implementation."""

import argparse
import sys
from pathlib import Path

from imavatar.cli.common import command
from imavatar.errors import DataError

OUT_OF_TOLERANCE = 1


@command
def check_parity_main(argv: list[str] | None = None) -> None:
    """Compare; exit code 1 where anything is out of tolerance."""
    parser = argparse.ArgumentParser(description="Compare with recorded results of the authors' implementation.")
    parser.add_argument(
        "folder", type=Path, help="with head_model.npz, reference_checkpoint.pth, reference_outputs.npz"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--no-compat",
        dest="compat",
        action="store_false",
        help="this project's own choices where it differs on purpose",
    )
    _check(parser.parse_args(argv))


def _check(args: argparse.Namespace) -> None:
    from imavatar_lab.parity import report
    from imavatar_lab.parity.check import check
    from imavatar_lab.parity.fixture import load_fixture

    comparisons, unknown = check(load_fixture(args.folder), compat=args.compat)
    if not comparisons:
        raise DataError(f"{args.folder}: records nothing that is known here; expected groups flame, probe, eval, train")
    if args.json:
        print(report.as_json(comparisons, unknown, compat=args.compat))
    else:
        print(report.table(comparisons, unknown))
    if not all(c.passed for c in comparisons):
        sys.exit(OUT_OF_TOLERANCE)
