"""The comparison's tables: a row a method, a column a number; Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from imavatar.evaluation.metrics import METRICS
from imavatar_lab.reproduce.plan import METHODS
from imavatar_lab.reproduce.results import Mean, Row, over_subjects


@dataclass(frozen=True)
class Table:
    """Means of methods; `best` are the rows that are bold in each column."""

    caption: str
    methods: tuple[str, ...]
    measures: tuple[str, ...]
    cells: tuple[tuple[Mean | None, ...], ...]

    def best(self, column: int) -> set[int]:
        """Rows whose number, as it is printed, no other one beats."""
        measure = METRICS[self.measures[column]]
        shown = {k: round(row[column].mean, measure.digits) for k, row in enumerate(self.cells) if row[column]}
        if not shown:
            return set()
        top = (max if measure.higher_is_better else min)(shown.values())
        return {k for k, value in shown.items() if value == top}


def make_table(rows: Sequence[Row], *, protocol: str, sequence: str, caption: str) -> Table:
    """The table of one protocol and one test sequence, methods in the order of the comparison."""
    chosen = [row for row in rows if row.protocol == protocol and row.sequence == sequence]
    methods = [c for c in METHODS if any(row.method == c.name for row in chosen)]
    cells = []
    for method in methods:
        own = [row for row in chosen if row.method == method.name]
        cells.append([over_subjects(own, name) for name in METRICS])
    shown = [k for k in range(len(METRICS)) if any(row[k] is not None for row in cells)]
    return Table(
        caption,
        tuple(c.label for c in methods),
        tuple(list(METRICS)[k] for k in shown),
        tuple(tuple(row[k] for k in shown) for row in cells),
    )


def markdown(table: Table) -> str:
    """With arrows for what is better and the best in bold."""
    lines = [f"**{table.caption}**", "", f"| method | {' | '.join(map(_heading, table.measures))} |"]
    lines.append("| --- |" + " ---: |" * len(table.measures))
    for k, row in enumerate(_written(table, "**{}**", " ± ")):
        lines.append(f"| {table.methods[k]} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def comma_separated(table: Table) -> str:
    """Means and standard errors in columns of their own, at full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", *(part for n in table.measures for part in (n, f"{n}_standard_error")), "subjects"])
    for label, row in zip(table.methods, table.cells, strict=True):
        numbers = [f"{v:.6g}" if v is not None else "" for m in row for v in ((m.mean, m.error) if m else (None, None))]
        writer.writerow([label, *numbers, max((m.subjects for m in row if m), default=0)])
    return text.getvalue()


def latex(table: Table) -> str:
    """A tabular for booktabs."""
    lines = [f"% {table.caption}", rf"\begin{{tabular}}{{l{'r' * len(table.measures)}}}", r"\toprule"]
    arrows = {True: r"$\uparrow$", False: r"$\downarrow$"}
    heads = [f"{METRICS[n].label} {arrows[METRICS[n].higher_is_better]}" for n in table.measures]
    lines += [f"method & {' & '.join(heads)} \\\\", r"\midrule"]
    for k, row in enumerate(_written(table, r"\textbf{{{}}}", r" $\pm$ ")):
        lines.append(f"{table.methods[k]} & {' & '.join(row)} \\\\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _heading(name: str) -> str:
    measure = METRICS[name]
    unit = f", {measure.unit}" if measure.unit else ""
    return f"{measure.label}{unit} {'↑' if measure.higher_is_better else '↓'}"


def _written(table: Table, bold: str, plus_minus: str) -> list[list[str]]:
    best = [table.best(column) for column in range(len(table.measures))]
    rows = []
    for k, row in enumerate(table.cells):
        cells = []
        for column, mean in enumerate(row):
            digits = METRICS[table.measures[column]].digits
            text = "-" if mean is None else f"{mean.mean:.{digits}f}"
            text = bold.format(text) if k in best[column] else text
            if mean is not None and mean.error is not None:
                text += f"{plus_minus}{mean.error:.{digits}f}"
            cells.append(text)
        rows.append(cells)
    return rows
