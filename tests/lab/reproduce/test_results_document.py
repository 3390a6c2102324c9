"""The published tables follow from the published scores."""

import re

import pytest

from imavatar.paths import project_dir
from imavatar_lab.reproduce.artifacts import make_tables
from imavatar_lab.reproduce.plan import PROTOCOLS, TESTS
from imavatar_lab.reproduce.results import in_bins, read_rows
from imavatar_lab.reproduce.tables import markdown

DOCS = project_dir() / "docs"
TEXT = (DOCS / "results.md").read_text(encoding="utf-8")
ROWS = read_rows(DOCS / "results" / "scores.csv")
STRENGTHS = [0, 3, 6, 9, float("inf")]
LABELS = {
    "imavatar": "IMavatar",
    "imavatar_unsupervised": "IMavatar, no FLAME loss",
    "fwd_skin": "Fwd-Skin",
    "b_morph": "B-Morph",
    "d_net": "D-Net",
    "c_net": "C-Net",
    "flame_mesh": "FLAME mesh + texture",
}


@pytest.mark.parametrize("name", [f"{protocol}_{sequence}" for protocol in PROTOCOLS for sequence in TESTS])
def test_a_table_is_that_of_the_scores(name):
    table = make_tables(ROWS)[name]
    assert len(table.methods) == 7
    assert markdown(table).strip() in TEXT


def test_errors_by_strength_are_those_of_the_scores():
    chosen = [
        row for row in ROWS if row.protocol == "paper" and row.sequence in ("test_interpolation", "test_extrapolation")
    ]
    for method, label in LABELS.items():
        own = [row for row in chosen if row.method == method]
        means = [f"{mean.mean:.2f}" for mean in in_bins(own, "strength", "expression_error", STRENGTHS)]
        assert f"| {label} | {' | '.join(means)} |" in TEXT


def test_every_picture_is_there():
    linked = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)
    assert len(linked) >= 4
    assert all((DOCS / path).is_file() for path in linked)
