"""`scripts/fetch_assets.py`: files that the project does not ship."""

import argparse

from imavatar import assets
from imavatar.cli.common import command
from imavatar.errors import AssetError
from imavatar.paths import command as command_of


@command
def fetch_assets_main(argv: list[str] | None = None) -> None:
    """Fetch the assets that are fetched by default, or those named; or see whether they are whole."""
    parser = argparse.ArgumentParser(description="Fetch the files that the project does not ship.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"these alone, of {_known()}")
    parser.add_argument(
        "--check",
        action="store_true",
        help="fetch nothing: compare every file with its sum, and end with 0 where all that are needed are there and "
        "none is damaged, else 2",
    )
    args = parser.parse_args(argv)
    if args.check:
        check_assets(args.only)
    else:
        assets.fetch(args.only)


def check_assets(names: list[str] | None) -> None:
    """Say of each asset how it is.

    Raises:
        AssetError: one that is needed or named is missing, or one is damaged.
    """
    states = assets.check(names)
    for state in states:
        spared = "" if state.present or state.asset.needed else " (can be done without)"
        print(f"{state.asset.name}: {state}{spared}")
    wanted = [state for state in states if names is not None or state.present or state.asset.needed]
    broken = [state.asset.name for state in wanted if not state.whole]
    if broken:
        raise AssetError(
            f"{assets.assets_dir()}: {len(broken)} of {len(states)} assets not whole; run: "
            f"{command_of('fetch_assets')} --only {' '.join(broken)}"
        )


def _known() -> str:
    """Names of all assets; those that are fetched only where they are named say so."""
    found = assets.ASSETS.values()
    return ", ".join(asset.name if asset.by_default else f"{asset.name} (not by default)" for asset in found)
