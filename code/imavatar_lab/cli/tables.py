"""`python -m imavatar_lab tables RESULTS`: the scores and tables of a comparison; the workflow calls it."""

import argparse
from pathlib import Path

from imavatar.cli.common import command


@command
def tables_main(argv: list[str] | None = None) -> None:
    """Write the scores of all runs, and tables of them."""
    from imavatar_lab.reproduce.artifacts import SCORES, collect_scores, write_tables
    from imavatar_lab.reproduce.plan import Paths
    from imavatar_lab.reproduce.workflow import Comparison

    parser = argparse.ArgumentParser(description="Write the scores and tables of a comparison.")
    parser.add_argument("results", type=Path, help="folder of the comparison")
    paths = Paths(parser.parse_args(argv).results.resolve())
    collect_scores(paths, Comparison.read(paths.root).budget)
    tables = write_tables(paths.root / SCORES, paths.root / "tables")
    print(f"tables: {len(tables)} in {paths.root / 'tables'}")
