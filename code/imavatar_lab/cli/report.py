"""`python -m imavatar_lab report RESULTS`: plots, grids and the report of a comparison; the workflow calls it."""

import argparse
import time
from pathlib import Path

from imavatar.cli.common import command


@command
def report_main(argv: list[str] | None = None) -> None:
    """Write what is made of scores and pictures."""
    from imavatar_lab.reproduce.artifacts import write_outputs
    from imavatar_lab.reproduce.machine import PLOTS, check_installed
    from imavatar_lab.reproduce.plan import Paths
    from imavatar_lab.reproduce.workflow import Comparison

    parser = argparse.ArgumentParser(description="Write the plots, grids and the report of a comparison.")
    parser.add_argument("results", type=Path, help="folder of the comparison")
    root = parser.parse_args(argv).results.resolve()
    check_installed(PLOTS)
    print(f"report: {write_outputs(Paths(root), Comparison.read(root).until(time.time()))}")
