"""From the runs' scores and pictures to tables, plots, grids and the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from imavatar.errors import ImavatarError
from imavatar.files.atomic import write_text
from imavatar_lab.reproduce.figures import AXES, draw_grid, plot_errors
from imavatar_lab.reproduce.gallery import TITLES, Pictures, shown_frames, subject_grid
from imavatar_lab.reproduce.plan import METHODS, PROTOCOLS, TESTS, Budget, Paths, subjects_of
from imavatar_lab.reproduce.report import Figure, write_report
from imavatar_lab.reproduce.results import Row, read_protocol, read_rows, write_rows
from imavatar_lab.reproduce.tables import Table, comma_separated, latex, make_table, markdown
from imavatar_lab.reproduce.workflow import Comparison

SCORES = "scores.csv"


def collect_scores(paths: Paths, budget: Budget) -> list[Row]:
    """The rows of all runs that have been evaluated, written to `scores.csv`.

    Raises:
        ImavatarError: there is none.
    """
    rows = []
    for subject in subjects_of(budget):
        for method in METHODS:
            for sequence in TESTS:
                folder = paths.evaluation(budget, subject, method, sequence)
                for protocol in PROTOCOLS:
                    path = folder / f"protocol_{protocol}.csv"
                    rows += read_protocol(path, subject, method.name) if path.is_file() else []
    if not rows:
        raise ImavatarError(f"{paths.root}: no run has been evaluated; see the logs in {paths.root / 'logs'}")
    write_rows(paths.root / SCORES, rows)
    return rows


def make_tables(rows: Sequence[Row]) -> dict[str, Table]:
    """One table for each protocol and test sequence that has scores; keys are `PROTOCOL_SEQUENCE`."""
    tables = {}
    for protocol in PROTOCOLS:
        for sequence in TESTS:
            if any(row.protocol == protocol and row.sequence == sequence for row in rows):
                caption = f"Protocol {protocol}, {TITLES[sequence]}"
                made = make_table(rows, protocol=protocol, sequence=sequence, caption=caption)
                tables[f"{protocol}_{sequence}"] = made
    return tables


def write_tables(scores: Path, folder: Path) -> dict[str, Table]:
    """Every table of a `scores.csv` as Markdown, CSV and LaTeX."""
    tables = make_tables(read_rows(scores))
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        for suffix, text in ((".md", markdown(table)), (".csv", comma_separated(table)), (".tex", latex(table))):
            write_text(folder / f"{name}{suffix}", text)
    return tables


def write_outputs(paths: Paths, comparison: Comparison) -> Path:
    """Everything that is made of `scores.csv` and the pictures; returns the report."""
    facts, problems = comparison.facts, comparison.problems
    rows = read_rows(paths.root / SCORES)
    tables = make_tables(rows)
    figures = []
    for by, axis in AXES.items():
        path = plot_errors(rows, by, "paper", paths.root / "plots" / f"error_by_{by}.png")
        figures.append(Figure(path, f"Errors against {axis}, protocol paper"))
    pictures = {subject: Pictures(paths, comparison.budget, subject) for subject in comparison.subjects}
    for subject, own in pictures.items():
        frames = shown_frames(rows, subject)
        methods = [c.name for c in METHODS if any(r.method == c.name and r.subject == subject for r in rows)]
        if frames and methods:
            path = draw_grid(subject_grid(own, frames, methods), paths.root / "grids" / f"{subject}.png")
            figures.append(Figure(path, f"{subject}: pictures and normals"))
    write_text(paths.root / "RESULTS.md", _summary(facts, tables, figures, problems, paths.root))
    return write_report(
        paths.root / "report.html",
        facts=facts,
        tables=list(tables.values()),
        figures=figures,
        rows=rows,
        pictures=pictures,
        problems=problems,
    )


def _summary(
    facts: Mapping[str, str],
    tables: Mapping[str, Table],
    figures: Sequence[Figure],
    problems: Sequence[str],
    root: Path,
) -> str:
    parts = ["# Results", "", "| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts.items()), ""]
    if problems:
        parts += ["Failed:", "", *(f"- {text}" for text in problems), ""]
    for table in tables.values():
        parts += [markdown(table)]
    parts += [f"![{figure.caption}]({figure.path.relative_to(root)})\n" for figure in figures]
    return "\n".join(parts)
