"""`scripts/reproduce.sh`: data, training of all methods, evaluation, tables, plots and a report."""

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from imavatar.cli.arguments import (
    MOST_PROCESSES,
    MOST_SEED,
    MOST_SIDE,
    MOST_SUPERSAMPLE,
    frame_counts,
    names_of,
    positive,
    whole,
)
from imavatar.cli.common import command
from imavatar.data.workplace import alone, remove_leftovers
from imavatar.files.locks import LOCK_FILE
from imavatar.paths import project_dir
from imavatar_lab.reproduce.plan import OVERNIGHT, SMALL, STEPS_A_MINUTE, Budget
from imavatar_lab.reproduce.workflow import all_methods

MOST_SUBJECTS, MOST_MINUTES = 10_000, 1e6
PARTS = ("confs", "tables", "plots", "grids")
"""Folders that this command writes itself."""


@command
def reproduce_main(argv: list[str] | None = None) -> None:
    """Run what is left of a comparison."""
    from imavatar_lab.reproduce.machine import PLOTS, WORKFLOW, check_installed
    from imavatar_lab.reproduce.running import reproduce

    args, more = _arguments(sys.argv[1:] if argv is None else argv)
    # At once, not after hours of training.
    check_installed(WORKFLOW, PLOTS)
    with alone(args.out / LOCK_FILE, "a comparison"):
        for folder in (args.out, *(args.out / name for name in PARTS)):
            remove_leftovers(folder)
        shown = f"bash scripts/reproduce.sh {shlex.join(sys.argv[1:])}".strip()
        report = reproduce(args.out.resolve(), _budget(args), args.methods, args.jobs, command=shown, more=more)
    print("dry run: nothing was made" if report is None else f"report: {report}")


def _arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The arguments, and those that Snakemake is given."""
    own, more = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    args = _parser().parse_args(own)
    given = ["--dry-run"] if args.dry_run else []
    if args.profile is not None:
        given += ["--profile", str(args.profile.resolve())]
    if args.executor is not None:
        # A profile has its own number of jobs.
        given += ["--executor", args.executor, *([] if args.profile else ["--jobs", str(args.jobs)])]
    return args, given + more


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="The paper's comparison on synthetic subjects. Called again it goes on where it was.",
        epilog="Arguments after -- are given to Snakemake, which runs the parts: -- --resources gpu=1",
    )
    parser.add_argument(
        "--small", action="store_true", help="2 subjects, 5 minutes a method: meant for two hours on two cores"
    )
    parser.add_argument("--subjects", type=whole(1, MOST_SUBJECTS), help="how many subjects (default: 3)")
    parser.add_argument(
        "--minutes",
        type=positive(MOST_MINUTES),
        help=f"training of each method, in units of {STEPS_A_MINUTE} steps (default: 15)",
    )
    parser.add_argument("--size", type=whole(32, MOST_SIDE), help="image side in pixels (default: 128)")
    parser.add_argument(
        "--supersample", type=whole(1, MOST_SUPERSAMPLE), help="rays along each side of a pixel in test renderings"
    )
    parser.add_argument(
        "--frames",
        type=lambda text: frame_counts(text, SMALL.frames),
        default={},
        metavar="SEQUENCE=N,...",
        help="other numbers of frames",
    )
    parser.add_argument("--seed", type=whole(0, MOST_SEED), default=0)
    names = all_methods()
    parser.add_argument("--methods", type=names_of(names), default=names, help=f"of {','.join(names)} (default: all)")
    parser.add_argument(
        "--jobs", type=whole(1, MOST_PROCESSES), default=os.cpu_count() or 1, help="runs beside each other"
    )
    parser.add_argument(
        "--out", type=Path, default=(project_dir() or Path.cwd()) / "results", help="folder (default: results)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what is left to be made, and make nothing")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="Snakemake's profile of a cluster, as confs/slurm")
    parser.add_argument(
        "--executor", metavar="NAME", help="Snakemake's executor plugin that runs the parts, as slurm or kubernetes"
    )
    return parser


def _budget(args: argparse.Namespace) -> Budget:
    budget = SMALL if args.small else OVERNIGHT
    given = {
        n: getattr(args, n) for n in ("subjects", "minutes", "size", "supersample") if getattr(args, n) is not None
    }
    return replace(budget, seed=args.seed, frames={**budget.frames, **args.frames}, **given)
