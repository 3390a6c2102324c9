"""The page about a run: everything inside, in order, and clear about what is missing."""

import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from imavatar.data.images import write_png
from imavatar.data.video_file import write_video
from imavatar.errors import DataError
from imavatar.evaluation import run_report
from imavatar.evaluation.html_page import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, line_plot
from imavatar.evaluation.run_report import write_run_report


def points(svg: str) -> list[list[tuple[float, float]]]:
    """The curves' points in pixels."""
    ElementTree.fromstring(svg)
    return [
        [tuple(map(float, pair.split(","))) for pair in run.split()] for run in re.findall(r'points="([^"]+)"', svg)
    ]


def test_a_curve_reaches_the_edges_of_its_plot_and_is_straight_where_values_are():
    ((*curve,),) = points(line_plot("loss", [1, 2, 3, 4], [10.0, 8.0, 6.0, 4.0]))
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    assert curve[0] == (left, top) and curve[-1] == (right, bottom)
    np.testing.assert_allclose(np.diff(curve, axis=0), np.diff(curve, axis=0)[:1].repeat(3, 0), atol=0.11)


def test_values_over_magnitudes_are_shown_by_their_logarithm():
    svg = line_plot("loss", [1, 2, 3], [100.0, 10.0, 1.0])
    ((_, middle, _),) = points(svg)
    assert ">log<" in svg and middle[1] == pytest.approx((TOP + HEIGHT - BOTTOM) / 2, abs=0.1)
    assert ">log<" not in line_plot("loss", [1, 2, 3], [10.0, 0.0, -5.0])


def test_what_is_missing_interrupts_a_curve():
    runs = points(line_plot("x", [1, 2, 3, 4, 5, 6], [1.0, 2.0, None, float("nan"), 2.0, 1.0]))
    assert [len(run) for run in runs] == [2, 2]
    assert "no values" in line_plot("x", [1], [None])
    assert "<circle" in line_plot("a < b", [1], [3.0]) and "a &lt; b" in line_plot("a < b", [1], [3.0])


@pytest.fixture
def run(tmp_path) -> dict:
    """A run's files, as arguments of the report."""
    results = tmp_path / "run" / "eval" / "test" / "epoch_3"
    results.mkdir(parents=True)
    (tmp_path / "run" / "previews").mkdir()
    (results / "metrics.txt").write_text("metric  mean\nPSNR  <27>\n")
    (results / "per_frame.csv").write_text("sub_dir,frame,psnr,keypoint_error\ntest,1,20.0,\ntest,2,25.0,1.5\n")
    write_video(results / "comparison.mp4", np.full((3, 16, 32, 3), 100, np.uint8), 25)
    (tmp_path / "run" / "train.csv").write_text("step,rgb,loss,alpha\n0,0.5,0.9,50\n1,0.4,0.7,50\n")
    for epoch in (10, 3, 20, 2, 100):
        write_png(tmp_path / "run" / "previews" / f"epoch_{epoch}.png", np.full((4, 8, 3), epoch, np.uint8))
    return {
        "title": "someone & co",
        "facts": {"method": "IMavatar"},
        "configuration": "train { nepoch = 3 } # <fast>",
        "scalars": tmp_path / "run" / "train.csv",
        "previews": tmp_path / "run" / "previews",
        "evaluations": {"test": results},
    }


def written(run: dict) -> str:
    path = run["scalars"].parent / "report.html"
    assert write_run_report(path, **run) == path
    return path.read_text()


def test_everything_is_in_the_page(run):
    text = written(run)
    assert "<h1>someone &amp; co</h1>" in text and "PSNR  &lt;27&gt;" in text and "# &lt;fast&gt;" in text
    for title in ("loss", "rgb", "alpha", "PSNR by frame", "keypoint error by frame"):
        assert f">{title}</text>" in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == 6 and all(source.startswith("data:") for source in sources)
    video = (run["evaluations"]["test"] / "comparison.mp4").read_bytes()
    assert base64.b64decode(sources[0].split(",")[1]) == video
    assert re.findall(r">epoch (\d+)<", text) == ["2", "3", "10", "20", "100"]
    assert not re.findall(r'(?:src|href)="(?!data:)', text) and "http" not in text


def test_a_long_video_is_linked_to(run, monkeypatch):
    monkeypatch.setattr(run_report, "LARGEST_VIDEO", 10)
    assert 'src="eval/test/epoch_3/comparison.mp4"' in written(run)


def test_a_method_without_training_has_a_page_too(run):
    run["scalars"].unlink()
    text = written({**run, "previews": Path("/nowhere")})
    assert "not trained step by step" in text and "There are none" in text


def test_results_that_are_gone_are_named(run):
    (run["evaluations"]["test"] / "metrics.txt").unlink()
    with pytest.raises(DataError, match=r"metrics\.txt: cannot be read"):
        written(run)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.csv", b"step,loss\n0,\xff\n", "cannot be read as a table"),
        ("train.csv", b"step,loss\n0,1\n1,2,3\n", "line 3 has more values than the first line has names"),
        ("eval/test/epoch_3/per_frame.csv", b"\xff\xfe", "cannot be read as a table"),
        ("eval/test/epoch_3/metrics.txt", b"\xff\xfe", "is not text"),
    ],
)
def test_damaged_tables_are_refused_by_name(run, name, content, message):
    path = run["scalars"].parent / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}: {message}"):
        written(run)


def test_tables_that_break_off_or_hold_no_numbers_are_shown_as_far_as_they_go(run):
    run["scalars"].write_text("step,rgb,loss\n0,inf,0.9\nx,-1e308,1e308\n1e400,0.4")
    assert ">loss</text>" in written(run)
