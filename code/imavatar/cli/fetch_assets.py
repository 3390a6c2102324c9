"""`scripts/fetch_assets.py`: files that the project does not ship."""

import argparse

from imavatar import assets
from imavatar.cli.common import run_command


def fetch_assets_main(argv: list[str] | None = None) -> None:
    """Fetch all assets, or those named."""
    parser = argparse.ArgumentParser(description="Fetch the files that the project does not ship.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="fetch these alone")
    args = parser.parse_args(argv)
    run_command(lambda: assets.fetch(args.only))
