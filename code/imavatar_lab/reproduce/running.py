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
    Paths,
    check_budget,
    note_budget,
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
    paths, dry = Paths(root), not {"--dry-run", "-n"}.isdisjoint(more)
    check_budget(paths, budget)
    commit = commit_of(project_dir() or PACKAGE)
    if not dry:
        note_budget(paths, budget)
        commit = note_commit(paths, commit)
    cores, hours = os.cpu_count() or 1, _expected_hours(budget, names, jobs)
    counts = f"{budget.subjects} subjects, {len(names)} methods, {budget.steps} steps each, {jobs} at a time"
    logger.info("%s: about %.1f hours, less what is there", counts, hours)
    comparison = Comparison(
        budget,
        tuple(names),
        jobs,
        threads=1 if jobs > 1 else cores,
        facts=_facts(budget, commit, command),
        started=time.time(),
    )
    _prepare(comparison, paths, dry=dry)
    before = missing_runs(comparison, root)
    code = run_workflow(root, cores=jobs if jobs > 1 else cores, more=more)
    if dry:
        if code != 0:
            raise ImavatarError(f"{root}: Snakemake refused the dry run with code {code}; its message is above")
        return None
    problems = _problems(comparison, paths, before)
    if code != 0 and not problems:
        problems = [f"Snakemake ended with code {code}; see its message above and {paths.log('report').parent}"]
    if problems:
        _report_failures(replace(comparison, problems=tuple(problems)), root)
        raise ImavatarError("\n".join(problems))
    return root / "report.html"


def _prepare(comparison: Comparison, paths: Paths, *, dry: bool) -> None:
    """Write what the workflow reads, if it isn't there: tables and report are made anew after `comparison.json`."""
    for subject in comparison.subjects:
        for method in METHODS:
            if method.name in comparison.methods:
                write_conf(paths, comparison.budget, subject, method, confs_dir() / "baselines")
    paths.log("any").parent.mkdir(exist_ok=True)
    try:
        known = Comparison.read(paths.root)
    except ImavatarError:
        known = None
    if known is not None:
        same = replace(comparison, jobs=known.jobs, threads=known.threads, started=known.started)
        # A dry run leaves what the last call was.
        same = replace(same, facts=known.facts) if dry else same
        if same == known and (dry or not missing_runs(comparison, paths.root)):
            return
    comparison.write(paths.root)


def _report_failures(comparison: Comparison, root: Path) -> None:
    """Tables and a report of the runs that there are, with what failed."""
    comparison.write(root)
    if len(missing_runs(comparison, root)) < len(comparison.runs()) and run_workflow(root, cores=1) != 0:
        logger.info("no report of the runs that there are: see %s", Paths(root).log("report").parent)


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


def _expected_hours(budget: Budget, names: Sequence[str], jobs: int) -> float:
    pixels = (budget.size / 128) ** 2
    data = budget.subjects * sum(budget.frames.values()) * SECONDS_A_FRAME * pixels
    learnt = sum(name != TEXTURED_HEAD_NAME for name in names)
    training = budget.subjects * learnt * (60 * budget.minutes * SLOWER + 60)
    tests = budget.subjects * len(names) * sum(budget.frames[s] for s in TESTS)
    testing = tests * SECONDS_A_TEST * pixels * (0.3 + 0.7 * budget.supersample**2 / 9)
    return (data + training + testing) / jobs / 3600
