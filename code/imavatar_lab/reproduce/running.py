"""A comparison from its budget to its report: what is left of it is made, what fails is said."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imavatar.errors import ImavatarError
from imavatar.paths import PACKAGE, confs_dir, project_dir
from imavatar_lab.reproduce.machine import commit_of, describe_machine
from imavatar_lab.reproduce.plan import (
    METHODS,
    STEPS_A_MINUTE,
    TESTS,
    TEXTURED_HEAD_NAME,
    Budget,
    Method,
    Paths,
    check_budget,
    note_commit,
    write_conf,
)
from imavatar_lab.reproduce.workflow import Comparison, describe_failure, end_of_log, missing_runs, run_workflow

logger = logging.getLogger(__name__)

SECONDS_A_FRAME, SECONDS_A_TEST = 1.6, 2.5
SLOWER = 1.5
"""Measured on one core at 128 x 128: a frame of the data, of a test, and steps of all methods against IMavatar's."""


def reproduce(
    root: Path, budget: Budget, names: Sequence[str], jobs: int, *, command: str, more: Sequence[str] = ()
) -> Path | None:
    """Make the data, train and evaluate, then write the outputs of whatever there is; returns the report.

    Args:
        root: the results folder, whose lock the caller holds.
        names: of the methods.
        jobs: runs beside each other.
        command: that the report names.
        more: arguments of Snakemake; with `--dry-run` nothing is made, and None is returned.

    Raises:
        ImavatarError: something failed; everything else is there.
    """
    started, paths = time.monotonic(), Paths(root)
    methods = [method for name in names for method in METHODS if method.name == name]
    check_budget(paths, budget)
    commits = note_commit(paths, commit_of(project_dir() or PACKAGE))
    logger.info(
        "%d subjects, %d methods, %d steps each, %d at a time: about %.1f hours, less what is there",
        budget.subjects,
        len(methods),
        budget.steps,
        jobs,
        _expected_hours(budget, methods, jobs),
    )
    cores = os.cpu_count() or 1
    comparison = Comparison(
        budget,
        tuple(names),
        jobs,
        threads=1 if jobs > 1 else cores,
        facts=_facts(budget, commits, command),
        command=command,
    )
    comparison.write(root)
    for subject in comparison.subjects:
        for method in methods:
            write_conf(paths, budget, subject, method, confs_dir() / "baselines")
    before = missing_runs(comparison, root)
    code = run_workflow(root, cores=jobs if jobs > 1 else cores, more=more)
    if "--dry-run" in more:
        if code != 0:
            raise ImavatarError(f"{root}: Snakemake refused the dry run with code {code}; its message is above")
        return None
    problems = _problems(comparison, paths, before)
    if problems or code != 0:
        minutes = (time.monotonic() - started) / 60
        facts = comparison.facts | {"this call took": f"{minutes:.0f} minutes"}
        comparison = replace(comparison, problems=tuple(problems or [f"Snakemake ended with code {code}"]), facts=facts)
        comparison.write(root)
        if len(missing_runs(comparison, root)) < len(comparison.runs()):
            run_workflow(root, cores=1, more=["--forcerun", "tables", "report"])
        raise ImavatarError("\n".join(comparison.problems))
    return root / "report.html"


def _problems(comparison: Comparison, paths: Paths, before: Sequence[tuple[str, str]]) -> list[str]:
    """What failed, after every run has been said to be done, kept or failed."""
    if not (paths.data / "DATA_CARD.md").is_file():
        return [f"data: {end_of_log(paths.log('data'))}"]
    problems, missing = [], missing_runs(comparison, paths.root)
    for run in comparison.runs():
        name = "_".join(run)
        if run not in missing:
            logger.info("%s: %s", name, "done" if run in before else "kept")
            continue
        problems.append(f"{name}: {describe_failure(paths, *run)}")
        logger.info("%s: failed: %s", name, problems[-1])
    return problems


def _facts(budget: Budget, commits: str, command: str) -> dict[str, str]:
    frames = ", ".join(f"{n} {name}" for name, n in budget.frames.items())
    return {
        "command": command,
        "commit": commits,
        "machine": describe_machine(),
        "budget": f"{budget.subjects} subjects, {budget.size} x {budget.size}, {budget.steps} steps of every learned "
        f"method ({budget.minutes:g} minutes at {STEPS_A_MINUTE} steps), {frames}",
    }


def _expected_hours(budget: Budget, methods: Sequence[Method], jobs: int) -> float:
    pixels = (budget.size / 128) ** 2
    data = budget.subjects * sum(budget.frames.values()) * SECONDS_A_FRAME * pixels
    learnt = sum(method.name != TEXTURED_HEAD_NAME for method in methods)
    training = budget.subjects * learnt * (60 * budget.minutes * SLOWER + 60)
    tests = budget.subjects * len(methods) * sum(budget.frames[s] for s in TESTS)
    testing = tests * SECONDS_A_TEST * pixels * (0.3 + 0.7 * budget.supersample**2 / 9)
    return (data + training + testing) / jobs / 3600
