"""Charts whose curves are read back from their SVG."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from imavatar.preprocessing.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Curve,
    TimeAxis,
    time_chart,
)
from imavatar.preprocessing.charts import ticks as round_numbers


def axis(n=10, gaps=(), marks=(), parts=()) -> TimeAxis:
    follows = np.ones(n, bool)
    follows[[0, *gaps]] = False
    return TimeAxis("seconds", np.arange(n) / 10, follows, np.array(marks, float), parts)


def drawn(chart: str) -> list[list[tuple[float, float]]]:
    """Points of every curve; its stretches one after the other, with None between."""
    found = []
    for path in ET.fromstring(chart).iter("path"):
        if path.get("class", "").startswith("curve"):
            steps = re.findall(r"([ML])([\d.]+) ([\d.]+)", path.get("d"))
            found.append([(kind, float(x), float(y)) for kind, x, y in steps])
    return found


def test_values_are_drawn_in_their_place():
    values = np.linspace(2, 6, 10)
    (points,) = drawn(time_chart("a", [Curve("b", values)], axis()))
    x, y = (np.array([point[k] for point in points]) for k in (1, 2))
    np.testing.assert_allclose(x, LEFT + np.arange(10) / 9 * (WIDTH - RIGHT - LEFT), atol=0.06)
    inner = HEIGHT - BOTTOM - TOP
    share = (HEIGHT - BOTTOM - y) / inner
    np.testing.assert_allclose(share, (values - 2 + 0.24) / 4.48, atol=0.01)


def test_gaps_and_numbers_that_are_not_finite_interrupt_a_curve():
    values = np.arange(10.0)
    values[6] = np.nan
    (points,) = drawn(time_chart("a", [Curve("b", values)], axis(gaps=[3])))
    assert "".join(kind for kind, *_ in points) == "MLLMLLMLL"


def test_a_blink_survives_in_a_curve_of_many_points():
    n = 20 * MOST_POINTS
    values = np.full(n, 5.0)
    values[12345:12348] = 1.0
    (points,) = drawn(time_chart("a", [Curve("b", values)], axis(n)))
    assert len(points) <= MOST_POINTS
    lowest = max(points, key=lambda point: point[2])
    assert lowest[1] == pytest.approx(LEFT + 12346 / (n - 1) * (WIDTH - RIGHT - LEFT), abs=0.2)
    assert {kind for kind, *_ in points[1:]} == {"L"}


def test_left_out_frames_and_recordings_are_marked():
    chart = time_chart(
        "a", [Curve("b", np.arange(10.0))], axis(marks=[0.45, 1.8], parts=[(0.0, "x.mp4"), (0.5, "y<z")])
    )
    tree = ET.fromstring(chart)
    (marks,) = (path for path in tree.iter("path") if path.get("class") == "left-out")
    assert marks.get("d") == f"M{LEFT + (WIDTH - RIGHT - LEFT) / 4:.1f} {HEIGHT - BOTTOM}v-7M{WIDTH - RIGHT:.1f} 146v-7"
    assert [text.text for text in tree.iter("text")].count("y<z") == 1


def test_names_are_escaped_and_a_chart_is_wellformed():
    chart = time_chart("<script>&", [Curve('"<i>', np.zeros(10)), Curve("&c", np.ones(10), 1, dashed=True)], axis())
    assert "<script>" not in chart and "<i>" not in chart
    assert len(drawn(chart)) == 2


@pytest.mark.parametrize("values", [np.full(10, 3.0), np.full(10, np.nan), np.zeros(10)])
def test_a_curve_without_a_range_is_a_chart_too(values):
    (points,) = drawn(time_chart("a", [Curve("b", values)], axis()))
    assert len(points) == np.isfinite(values).sum()


def test_a_frame_without_neighbours_is_a_dot():
    chart = time_chart("a", [Curve("b", np.ones(1))], axis(1))
    (points,) = drawn(chart)
    assert len(points) == 1 and "h0" in chart


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 5, 10]), (-0.13, 0.12, [-0.1, 0, 0.1]), (56.7, 60.4, [57, 58, 59, 60]), (3, 3, [3])],
)
def test_ticks_are_round_numbers_inside(low, high, expected):
    assert round_numbers(low, high, 4) == pytest.approx(expected)
