"""`scripts/reproduce.sh`: data, training of all methods, evaluation, tables, plots and a report."""

import argparse
import os
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from imavatar.assets import project_dir
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
from imavatar.errors import ImavatarError
from imavatar.files.locks import LOCK_FILE
from imavatar_lab.reproduce.plan import (
    METHODS,
    OVERNIGHT,
    SMALL,
    STEPS_A_MINUTE,
    TESTS,
    TEXTURED_HEAD_NAME,
    Budget,
    Method,
    Paths,
    check_budget,
    note_commit,
    subjects_of,
    write_conf,
)
from imavatar_lab.reproduce.tasks import Outcome, Task, run_tasks

MOST_SUBJECTS, MOST_MINUTES = 10_000, 1e6
PARTS = ("confs", "tables", "plots", "grids")
"""Folders that this command writes itself."""
SECONDS_A_FRAME, SECONDS_A_TEST = 1.6, 2.5
SLOWER = 1.5
"""Measured on one core at 128 x 128: a frame of the data, of a test, and steps of all methods against IMavatar's."""


@command
def reproduce_main(argv: list[str] | None = None) -> None:
    """Run what is left of a comparison."""
    parser = argparse.ArgumentParser(
        description="The paper's comparison on synthetic subjects. Called again it goes on where it was."
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
    names = [method.name for method in METHODS]
    parser.add_argument("--methods", type=names_of(names), default=names, help=f"of {','.join(names)} (default: all)")
    parser.add_argument(
        "--jobs", type=whole(1, MOST_PROCESSES), default=os.cpu_count() or 1, help="runs beside each other"
    )
    parser.add_argument("--out", type=Path, default=project_dir() / "results", help="folder (default: results)")
    args = parser.parse_args(argv)
    with alone(args.out / LOCK_FILE, "a comparison"):
        for folder in (args.out, *(args.out / name for name in PARTS)):
            remove_leftovers(folder)
        reproduce(args)


def reproduce(args: argparse.Namespace) -> None:
    """Make the data, train and evaluate, then write the outputs of whatever there is.

    Raises:
        ImavatarError: something failed; everything else is there.
    """
    from imavatar_lab.reproduce.machine import commit_of

    started = time.monotonic()
    budget, paths = _budget(args), Paths(args.out.resolve())
    methods = [method for name in args.methods for method in METHODS if method.name == name]
    check_budget(paths, budget)
    commits = note_commit(paths, commit_of(project_dir()))
    print(
        f"{budget.subjects} subjects, {len(methods)} methods, {budget.steps} steps each, {args.jobs} at a time: "
        f"about {_expected_hours(budget, methods, args.jobs):.1f} hours, less what is there",
        flush=True,
    )
    problems = _make_data(paths, budget, args.jobs)
    if not problems:
        tasks = [_task(paths, budget, s, c) for s in subjects_of(budget) for c in methods]
        outcomes = run_tasks(tasks, paths.log, jobs=args.jobs, tell=_tell)
        problems = [f"{outcome.name}: {outcome.message}" for outcome in outcomes if outcome.state == "failed"]
    report = _outputs(paths, budget, commits, problems, time.monotonic() - started)
    print(f"report: {report}")
    if problems:
        raise ImavatarError("\n".join(problems))


def _budget(args: argparse.Namespace) -> Budget:
    budget = SMALL if args.small else OVERNIGHT
    given = {
        n: getattr(args, n) for n in ("subjects", "minutes", "size", "supersample") if getattr(args, n) is not None
    }
    return replace(budget, seed=args.seed, frames={**budget.frames, **args.frames}, **given)


def _expected_hours(budget: Budget, methods, jobs: int) -> float:
    pixels = (budget.size / 128) ** 2
    data = budget.subjects * sum(budget.frames.values()) * SECONDS_A_FRAME * pixels
    learnt = sum(c.name != TEXTURED_HEAD_NAME for c in methods)
    training = budget.subjects * learnt * (60 * budget.minutes * SLOWER + 60)
    tests = budget.subjects * len(methods) * sum(budget.frames[s] for s in TESTS)
    testing = tests * SECONDS_A_TEST * pixels * (0.3 + 0.7 * budget.supersample**2 / 9)
    return (data + training + testing) / jobs / 3600


def _make_data(paths: Paths, budget: Budget, jobs: int) -> list[str]:
    """Render what is missing; returns what failed."""
    frames = ",".join(f"{name}={n}" for name, n in budget.frames.items())
    sizes = {"subjects": budget.subjects, "size": budget.size, "samples": budget.samples, "seed": budget.seed}
    options = [text for name, value in sizes.items() for text in (f"--{name}", str(value))]
    command = (_script("make_synthetic"), *options, "--frames", frames, "--workers", str(jobs), "--out", paths.data)
    done = paths.data / "DATA_CARD.md"
    task = Task("data", (tuple(map(str, command)),), done.is_file)
    # Rendering has its own processes.
    (outcome,) = run_tasks([task], paths.log, jobs=1, tell=_tell)
    return [f"data: {outcome.message}"] if outcome.state == "failed" else []


def _task(paths: Paths, budget: Budget, subject: str, method: Method) -> Task:
    from imavatar_lab.reproduce.artifacts import PROTOCOLS

    conf = write_conf(paths, budget, subject, method, project_dir() / "confs" / "baselines")
    run = paths.run(subject, method.name)
    train = (_script("exp_runner"), "--conf", str(conf), "--is_continue")
    protocols = [text for name in PROTOCOLS for text in ("--protocol", name)]
    evaluate = (_script("evaluate"), str(run), "--images", *protocols)
    folders = [paths.evaluation(budget, subject, method, sequence) for sequence in TESTS]
    files = [folder / f"protocol_{name}.json" for folder in folders for name in PROTOCOLS]
    return Task(f"{subject}_{method.name}", (train, evaluate), lambda: all(file.is_file() for file in files))


def _script(name: str) -> str:
    return str(project_dir() / "scripts" / f"{name}.py")


def _tell(outcome: Outcome) -> None:
    took = f" in {outcome.seconds / 60:.1f} minutes" if outcome.seconds else ""
    print(f"{outcome.name}: {outcome.state}{took}{': ' + outcome.message if outcome.message else ''}", flush=True)


def _outputs(paths: Paths, budget: Budget, commits: str, problems: list[str], seconds: float) -> Path:
    from imavatar_lab.reproduce.artifacts import write_outputs
    from imavatar_lab.reproduce.machine import describe_machine

    command = f"bash scripts/reproduce.sh {shlex.join(sys.argv[1:])}".strip()
    facts = {
        "command": command,
        "commit": commits,
        "machine": describe_machine(),
        "budget": f"{budget.subjects} subjects, {budget.size} x {budget.size}, {budget.steps} steps of every learned "
        f"method ({budget.minutes:g} minutes at {STEPS_A_MINUTE} steps), "
        + ", ".join(f"{n} {name}" for name, n in budget.frames.items()),
        "this call took": f"{seconds / 60:.0f} minutes",
    }
    return write_outputs(paths, budget, facts=facts, command=command, problems=problems)
