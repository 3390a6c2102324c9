"""Means over subjects, bins, tables and their files, from numbers worked out by hand."""

import csv

import pytest

from imavatar.errors import DataError
from imavatar.evaluation.metrics import METRICS
from imavatar.evaluation.protocols import PROTOCOLS
from imavatar.evaluation.scoring import FrameScores
from imavatar.evaluation.tables import write_protocol
from imavatar_lab.reproduce.artifacts import write_tables
from imavatar_lab.reproduce.figures import bin_edges
from imavatar_lab.reproduce.results import Row, in_bins, over_subjects, read_protocol, read_rows, write_rows
from imavatar_lab.reproduce.tables import comma_separated, latex, make_table, markdown


def row(
    subject="a", method="imavatar", sequence="test_interpolation", frame="1", strength=0.0, jaw=0.0, **values
) -> Row:
    return Row(subject, method, "paper", sequence, frame, strength, jaw, values)


ROWS = [
    row("a", psnr=30.0, mae=0.02),
    row("a", frame="2", psnr=32.0, mae=0.04),
    row("b", psnr=25.0, mae=0.05),
    row("a", "c_net", psnr=28.0, mae=0.03),
    row("b", "c_net", psnr=28.0, mae=None),
    row("a", "c_net", "test_extrapolation", psnr=20.0),
]


def test_subjects_count_alike_however_many_frames_they_have():
    found = over_subjects(ROWS[:3], "psnr")
    assert found.mean == pytest.approx(28) and found.subjects == 2
    # Of 31 and 25: standard deviation 3 sqrt(2), standard error 3.
    assert found.error == pytest.approx(3)
    assert over_subjects(ROWS[:2], "psnr").error is None
    assert over_subjects(ROWS, "ssim") is None


def test_bins_share_out_all_frames_once():
    rows = [row(frame=str(k), jaw=float(k), mae=float(k)) for k in range(11)]
    edges = bin_edges([r.jaw for r in rows])
    assert len(edges) == 6 and edges[0] == 0 and edges[-1] == 10
    found = in_bins(rows, "jaw", "mae", edges)
    assert [mean.mean for mean in found] == [0.5, 2.5, 4.5, 6.5, 9]
    assert bin_edges([1.0, 1.0, 1.0]) == [1.0]
    assert in_bins(rows, "jaw", "mae", [20.0, 30.0]) == [None]


def test_the_best_is_bold_and_ties_are_shared():
    table = make_table(ROWS, protocol="paper", sequence="test_interpolation", caption="T")
    assert table.methods == ("IMavatar", "C-Net") and table.measures == ("mae", "psnr")
    lines = markdown(table).splitlines()
    assert lines[0] == "**T**"
    assert lines[2] == "| method | MAE ↓ | PSNR, dB ↑ |"
    assert lines[4] == "| IMavatar | 0.0400 ± 0.0100 | **28.00** ± 3.00 |"
    assert lines[5] == "| C-Net | **0.0300** | **28.00** ± 0.00 |"
    assert r"IMavatar & 0.0400 $\pm$ 0.0100 & \textbf{28.00} $\pm$ 3.00 \\" in latex(table)
    first = next(csv.DictReader(comma_separated(table).splitlines()))
    assert float(first["psnr"]) == 28 and float(first["psnr_standard_error"]) == 3 and first["subjects"] == "2"


def test_tables_are_made_of_the_csv_alone(tmp_path):
    write_rows(tmp_path / "scores.csv", ROWS)
    rows = read_rows(tmp_path / "scores.csv")
    assert [r.values["psnr"] for r in rows] == [30, 32, 25, 28, 28, 20]
    assert rows[4].values["mae"] is None and rows[1].frame == "2"
    tables = write_tables(tmp_path / "scores.csv", tmp_path / "tables")
    assert set(tables) == {"paper_test_interpolation", "paper_test_extrapolation"}
    first = {path.name: path.read_bytes() for path in (tmp_path / "tables").iterdir()}
    assert len(first) == 6
    write_tables(tmp_path / "scores.csv", tmp_path / "again")
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == first


def test_an_evaluations_file_is_read_with_its_subject_and_method(tmp_path):
    values = {"psnr": 30.123456, "mae": None}
    write_protocol(tmp_path, [FrameScores("test_views", "7", 1.25, 0.5, values)], PROTOCOLS["paper"], size=(8, 8))
    path = tmp_path / "protocol_paper.csv"
    (found,) = read_protocol(path, "z", "d_net")
    expected = Row("z", "d_net", "paper", "test_views", "7", 1.25, 0.5, dict.fromkeys(METRICS) | {"psnr": 30.1235})
    assert found == expected
    path.write_text(path.read_text().replace("30.1235", "thirty"))
    with pytest.raises(DataError, match=r"protocol_paper\.csv: a line lacks a column or a number"):
        read_protocol(path, "z", "d_net")
