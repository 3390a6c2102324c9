"""Tables of metrics: what is written can be read, and the numbers are those of the frames."""

import csv

import pytest

from imavatar.evaluation.metrics import METRICS
from imavatar.evaluation.scoring import FrameScores
from imavatar.evaluation.tables import markdown_table, summarise, text_table, write_rows


def scores(**columns):
    """Frames 1, 2, ... of the recording `test` with the given values of metrics."""
    lines = zip(*columns.values(), strict=True)
    values = (dict(zip(columns, line, strict=True)) for line in lines)
    return [FrameScores("test", str(k), 0.0, 0.0, value) for k, value in enumerate(values, 1)]


def summary_of(name, rows):
    return next(summary for summary in summarise(rows) if summary.name == name)


def test_the_summary_is_mean_deviation_and_worst_frame():
    rows = scores(psnr=[20.0, 26.0, 23.0], mae=[0.1, 0.2, 0.3])
    found = summary_of("psnr", rows)
    assert (found.mean, found.worst, found.worst_frame, found.n_frames) == (23, 20, "test/1", 3)
    assert found.deviation == pytest.approx(6**0.5)
    assert summary_of("mae", rows).worst_frame == "test/3"


def test_frames_without_a_value_are_left_out_of_the_mean():
    found = summary_of("keypoint_error", scores(keypoint_error=[2.0, None, 4.0]))
    assert (found.mean, found.n_frames) == (3, 2)


def test_a_metric_without_any_value_has_no_mean():
    found = summary_of("lpips", scores(lpips=[None, None]))
    assert (found.mean, found.n_frames, found.worst_frame) == (None, 0, None)


def test_the_csv_has_every_score_and_an_empty_cell_where_one_is_missing(tmp_path):
    complete = {name: 0.25 * i for i, name in enumerate(METRICS)}
    partial = {**complete, "lpips": None}
    rows = [(("a", "1"), complete), (("b", "07"), partial)]
    write_rows(tmp_path / "per_frame.csv", ("sub_dir", "frame"), rows, METRICS)
    with (tmp_path / "per_frame.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["sub_dir"], first["frame"]) == ("a", "1")
    assert (second["sub_dir"], second["frame"]) == ("b", "07")
    assert {name: float(first[name]) for name in METRICS} == complete
    assert second["lpips"] == ""


def test_the_text_table_shows_every_metric_in_aligned_columns():
    lines = text_table(summarise(scores(psnr=[20.0, 26.0], lpips=[None, None]))).splitlines()
    assert len(lines) == sum(not info.optional for info in METRICS.values()) + 2
    psnr = next(line for line in lines if line.startswith("PSNR "))
    assert psnr.split()[1:4] == ["23.00", "3.00", "20.00"]
    assert "dB, higher is better" in psnr
    lpips = next(line for line in lines if line.startswith("LPIPS "))
    assert "not available" in lpips
    end = lines[0].index("mean") + len("mean")
    assert psnr[:end].endswith("23.00")
    assert lpips[:end].endswith("available")


def test_the_markdown_table_has_as_many_cells_in_every_line():
    lines = markdown_table(summarise(scores(psnr=[20.0, None]))).splitlines()
    assert {line.count("|") for line in lines} == {8}


def test_an_optional_metric_is_shown_where_a_frame_has_it():
    assert "normals" not in text_table(summarise(scores(psnr=[20.0, 26.0])))
    lines = text_table(summarise(scores(normal_error=[4.0, None]))).splitlines()
    (shown,) = (line for line in lines if line.startswith("normals"))
    assert shown.split()[1] == "4.00" and "degrees, lower is better" in shown
