"""The page about a fit: everything is in it, nothing is fetched, and no name gets out of its place."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from imavatar.errors import DataError
from imavatar.preprocessing import report_page
from imavatar.preprocessing.capture_advice import Advice
from imavatar.preprocessing.left_out import LeftOut
from imavatar.preprocessing.report_page import ReportContent, time_axis, worst_rows, write_report_page
from made_track import N, complete_track

EVIL = '<img src=x onerror="alert(1)">&.mp4'
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Its elements and text; fails where they are not nested."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        """See that it closes the last that was opened."""
        assert self._open.pop() == tag

    def handle_data(self, data):
        """Keep text that is shown."""
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag):
        """Attributes of the elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def content():
    left_out = [
        LeftOut("a.mp4", 403, "blurred: sharpness 0.12", b"jpeg of 403"),
        LeftOut("a.mp4", 404, "blurred: sharpness 0.15", None),
        LeftOut("a.mp4", 410, "no face found"),
    ]
    checks = [
        Advice("blinks", "The eyes close once", "blink at least 3 times", True),
        Advice("smile", "The mouth gets 20 % wider", "smile", False),
    ]
    facts = {"focal length": "600 px"}
    return ReportContent("Tracking of a.mp4", facts, ["a.mp4"], 25.0, complete_track(), left_out, checks)


def written(tmp_path, content, film=b"film") -> Page:
    (tmp_path / "overlay.mp4").write_bytes(film)
    write_report_page(tmp_path / "report.html", content, tmp_path / "overlay.mp4")
    return Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_page_holds_film_charts_advice_worst_frames_and_what_was_left_out(tmp_path, content):
    page = written(tmp_path, content)
    (film,) = page.all("video")
    assert base64.b64decode(film["src"].removeprefix("data:video/mp4;base64,")) == b"film"
    assert len(page.all("svg")) == 9
    assert "The eyes close once: blink at least 3 times." in page.text
    assert "The mouth gets 20 % wider: smile." not in page.text and "The mouth gets 20 % wider" in page.text
    rows = [int(button["data-row"]) for button in page.all("button")]
    assert rows == worst_rows(content.curves)
    (picture,) = page.all("img")
    assert base64.b64decode(picture["src"].removeprefix("data:image/jpeg;base64,")) == b"jpeg of 403"
    assert "a.mp4, frame 404: blurred: sharpness 0.15" in page.text
    assert re.search(r"blurred: sharpness …\s*2", page.text) and re.search(r"no face found\s*1", page.text)
    assert "focal length600 px" in page.text


def test_nothing_is_fetched(tmp_path, content):
    page = written(tmp_path, content)
    sources = [value for _, attrs in page.elements for name, value in attrs.items() if name in ("src", "href")]
    assert len(sources) == 2 and all(source.startswith("data:") for source in sources)
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"https?://|@import|url\(", text) and "<link" not in text


def test_a_long_film_is_linked_to(tmp_path, content, monkeypatch):
    monkeypatch.setattr(report_page, "LARGEST_VIDEO", 3)
    (film,) = written(tmp_path, content).all("video")
    assert film["src"] == "overlay.mp4"


def test_names_of_files_are_text_wherever_they_stand(tmp_path, content):
    left_out = [LeftOut(EVIL, 402, f"no face in {EVIL}")]
    evil = replace(content, title=EVIL, names=[EVIL, "</script>"], facts={EVIL: EVIL}, left_out=left_out)
    curves = replace(content.curves, video=np.where(np.arange(N) < 9, 1, 0))
    page = written(tmp_path, replace(evil, curves=curves))
    assert not page.all("img") and len(page.all("script")) == 1
    assert page.text.count(EVIL) > 5


def test_frames_of_several_recordings_follow_each_other(content):
    curves = content.curves
    video = np.repeat([0, 1], N // 2)
    time = np.concatenate([np.arange(N // 2), 10 * np.arange(N // 2)])
    left_out = [LeftOut("a.mp4", 249, "x"), LeftOut("b.mp4", 3, "x"), LeftOut("unknown.mp4", 3, "x")]
    axis = time_axis(
        replace(content, curves=replace(curves, video=video, time=time), names=["a.mp4", "b.mp4"], left_out=left_out)
    )
    assert axis.parts == [(0.0, "a.mp4"), (10.0, "b.mp4")]
    np.testing.assert_allclose(axis.x[[0, 1, N // 2, N // 2 + 1]], [0, 0.04, 10.0, 10.4])
    np.testing.assert_allclose(axis.marks, [249 / 25, 10 + 3 / 25])
    assert axis.follows.tolist() == [False] + [True] * (N // 2 - 1) + [False] * (N // 2)


def test_the_script_knows_where_frames_are(tmp_path, content):
    written(tmp_path, content)
    found = re.search(r"const track = (\{.*?\});", (tmp_path / "report.html").read_text())
    track = json.loads(found[1])
    assert len(track["x"]) == N and track["fps"] == 25.0 and track["limits"] == [0.0, 410 / 25]


def test_the_worst_frames_are_apart(content):
    error = np.full(N, 0.01)
    error[100:110] = 0.05
    error[300] = 0.04
    rows = worst_rows(replace(content.curves, error=error))
    assert rows[0] == 100 and 300 in rows[:4]
    assert min(np.diff(sorted(rows))) > 3 and len(rows) == report_page.N_WORST


def test_without_faults_the_page_says_so(tmp_path, content):
    page = written(tmp_path, replace(content, left_out=[], checks=content.checks[1:]))
    assert "No frame was left out." in page.text and "Nothing that was looked for is missing." in page.text


def test_of_many_pictures_some_are_shown(tmp_path, content):
    many = [LeftOut("a.mp4", k, "no face found", b"x") for k in range(100)]
    page = written(tmp_path, replace(content, left_out=many))
    assert len(page.all("img")) == report_page.MOST_PICTURES and "and 40 more" in page.text


def test_a_film_that_is_gone_is_named(tmp_path, content):
    with pytest.raises(DataError, match=r"overlay\.mp4: cannot be read"):
        write_report_page(tmp_path / "report.html", content, tmp_path / "overlay.mp4")
