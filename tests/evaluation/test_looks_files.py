"""The files of a comparison of looks."""

import csv
import json

import cv2
import numpy as np
import pytest

from imavatar.evaluation.curve_plot import COLOURS, HEIGHT, LEFT, RIGHT, WIDTH, Panel, write_plot
from imavatar.evaluation.looks import MEANING, compare_looks
from imavatar.evaluation.looks_files import write_looks
from made_looks import OPEN, face


def drawn_columns(path, colour, panel: int = 0) -> np.ndarray:
    """Columns of a panel, below its heading, with pixels close to a colour."""
    image = cv2.imread(str(path))[panel * HEIGHT : (panel + 1) * HEIGHT, :, ::-1].astype(int)
    close = np.abs(image[25:-21] - colour).sum(axis=-1) < 140
    return np.flatnonzero(close.any(axis=0))


def test_files_hold_the_numbers_and_the_frames(tmp_path):
    faces = [face(lips=0.01 * k) for k in range(5)]
    drawn = [face((0.5 * OPEN, OPEN)), None, *faces[2:]]
    looks = compare_looks(drawn, faces, np.arange(7, 12), [0.4, None, None, None, None])
    write_looks(tmp_path / "out", looks, ["a remark"])
    content = json.loads((tmp_path / "out" / "looks.json").read_text())
    assert content["values"] == looks.values and content["meaning"] == MEANING and content["notes"] == ["a remark"]
    with (tmp_path / "out" / "looks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["7", "9", "10", "11"]
    assert float(rows[0]["right_lids_picture"]) == pytest.approx(OPEN)
    assert float(rows[0]["right_lids_rendering"]) == pytest.approx(0.5 * OPEN)
    assert float(rows[0]["identity_distance"]) == pytest.approx(0.4) and rows[1]["identity_distance"] == ""
    assert rows[0]["gaze_up_picture"] == ""
    assert cv2.imread(str(tmp_path / "out" / "looks.png")).shape == (6 * HEIGHT, WIDTH, 3)


def test_without_a_face_there_is_no_picture(tmp_path):
    write_looks(tmp_path, compare_looks([None], [None], np.arange(1), [None]))
    assert not (tmp_path / "looks.png").exists() and (tmp_path / "looks.json").is_file()


def test_curves_go_over_the_whole_width_and_stop_at_gaps(tmp_path):
    time = np.array([0, 1, 2, 3, 8, 9, 10])
    rising = np.linspace(0.0, 1.0, 7)
    unknown = np.where(time == 2, np.nan, 0.5)
    write_plot(tmp_path / "a.png", time, [Panel("one", {"x": rising, "y": unknown}), Panel("none", {})])
    width = WIDTH - RIGHT - LEFT
    first = drawn_columns(tmp_path / "a.png", COLOURS[0])
    first = first[(first > LEFT + 40) & (first < WIDTH - RIGHT - 40)]
    share = (first - LEFT) / width
    assert share.min() < 0.1 and share.max() > 0.9
    assert not ((share > 0.31) & (share < 0.79)).any()
    second = (drawn_columns(tmp_path / "a.png", COLOURS[1]) - LEFT) / width
    assert not ((second > 0.11) & (second < 0.29)).any() and ((second > 0.02) & (second < 0.09)).any()


def test_a_curve_that_does_not_change_is_drawn(tmp_path):
    write_plot(tmp_path / "a.png", np.arange(3), [Panel("flat", {"x": np.ones(3)}, from_zero=True)])
    assert len(drawn_columns(tmp_path / "a.png", COLOURS[0])) > WIDTH / 2
