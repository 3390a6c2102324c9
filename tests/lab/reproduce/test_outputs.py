"""Everything that is made of the runs' scores and pictures: complete, self-contained, the same every time."""

import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from imavatar.data.ground_truth import NORMALS, write_normals
from imavatar.errors import ImavatarError
from imavatar.evaluation.protocols import PROTOCOLS as EVALUATED
from imavatar.evaluation.scoring import FrameScores
from imavatar.evaluation.tables import write_protocol
from imavatar_lab.reproduce.artifacts import SCORES, collect_scores, write_outputs, write_tables
from imavatar_lab.reproduce.figures import Grid, draw_grid
from imavatar_lab.reproduce.gallery import shown_frames
from imavatar_lab.reproduce.plan import PROTOCOLS, SMALL, TESTS, Paths, subjects_of
from imavatar_lab.reproduce.results import Row, read_rows
from imavatar_lab.reproduce.workflow import Comparison

SIZE = 24
FACTS = {"commit": "abc", "command": "bash scripts/reproduce.sh", "machine": "a <machine>"}


@pytest.fixture
def paths(tmp_path) -> Paths:
    """Two methods of two subjects, evaluated on three frames of every sequence."""
    paths = Paths(tmp_path)
    generator = np.random.default_rng(0)
    for s, subject in enumerate(subjects_of(SMALL)):
        for sequence in TESTS:
            recording = paths.data / subject / subject / sequence
            for folder in ("image", "mask", NORMALS):
                (recording / folder).mkdir(parents=True)
            for k in (1, 2, 3):
                image = generator.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
                cv2.imwrite(str(recording / "image" / f"{k}.png"), image)
                cv2.imwrite(str(recording / "mask" / f"{k}.png"), np.full((SIZE, SIZE), 255, np.uint8))
                normals = np.zeros((SIZE, SIZE, 3), np.float32)
                normals[..., 2] = 1
                write_normals(recording / NORMALS / f"{k}.png", normals)
            for m, method in enumerate(("imavatar", "c_net")):
                folder = paths.run(subject, method) / "eval" / sequence / f"epoch_{SMALL.epochs}"
                for kind in ("rgb", "normal"):
                    (folder / kind).mkdir(parents=True)
                    for k in (1, 2, 3):
                        cv2.imwrite(str(folder / kind / f"{k}.png"), np.full((SIZE, SIZE, 3), 60 * k, np.uint8))
                scores = [
                    FrameScores(
                        sequence,
                        str(k + 1),
                        0.3 * k,
                        0.1 * k,
                        {"mae": 0.01 * (k + 1 + m + s), "normal_error": 6.0 + k + m},
                    )
                    for k in range(3)
                ]
                for protocol in PROTOCOLS:
                    write_protocol(folder, scores, EVALUATED[protocol], size=(SIZE, SIZE))
    return paths


class Page(HTMLParser):
    """Addresses that a page would load."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]


def test_the_outputs_of_two_methods(paths):
    pytest.importorskip("matplotlib")
    comparison = Comparison(SMALL, ("imavatar", "c_net"), facts=FACTS, problems=("subject_01_d_net: <broke>",))
    collect_scores(paths, SMALL)
    write_tables(paths.root / SCORES, paths.root / "tables")
    report = write_outputs(paths, comparison)
    rows = read_rows(paths.root / SCORES)
    assert len(rows) == 2 * 2 * 3 * 3 * 3
    assert len(list((paths.root / "tables").glob("*.md"))) == 9
    for name in (
        "plots/error_by_strength.png",
        "plots/error_by_jaw.png",
        "grids/subject_00.png",
        "grids/subject_01.png",
    ):
        assert cv2.imread(str(paths.root / name)) is not None
    text = report.read_text(encoding="utf-8")
    assert all(address.startswith("data:image/") for address in Page(text).addresses)
    assert "http" not in re.sub(r"data:image[^\"]*", "", text)
    assert "a &lt;machine&gt;" in text and "subject_01_d_net: &lt;broke&gt;" in text
    assert text.count("at abc") >= 4
    pictures = json.loads(re.search(r'id="pictures">(.*?)</script>', text, re.S)[1])
    frames = pictures["subject_01"]["test_extrapolation"]
    assert [f["name"] for f in frames] == ["1", "2", "3"]
    assert [label for label, _ in frames[0]["rgb"]] == ["ground truth", "IMavatar", "C-Net"]
    summary = (paths.root / "RESULTS.md").read_text()
    assert "- subject_01_d_net: <broke>" in summary and "plots/error_by_jaw.png" in summary
    first = text
    write_outputs(paths, comparison)
    assert report.read_text(encoding="utf-8") == first


def test_without_a_run_there_is_nothing_to_show(tmp_path):
    with pytest.raises(ImavatarError, match="no run has been evaluated"):
        collect_scores(Paths(tmp_path), SMALL)


def test_the_frames_that_are_shown_are_the_middling_the_strongest_and_a_view():
    rows = [Row("a", "m", "paper", s, str(k), 0.1 * ((k * 7) % 10), 0.0, {}) for s in TESTS for k in range(1, 10)]
    assert shown_frames(rows, "a") == [
        ("test_interpolation", "5"),
        ("test_extrapolation", "7"),
        ("test_views", "1"),
    ]
    assert shown_frames(rows, "b") == []


def test_a_grid_has_every_picture_in_its_place(tmp_path):
    red, blue = (np.full((10, 20, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    path = draw_grid(Grid(("one", "two"), (("first", (red, None)), ("second", (None, blue)))), tmp_path / "g.png")
    image = cv2.imread(str(path))[..., ::-1]
    assert image.shape == (22 + 20, 104 + 40, 3)
    assert (image[22:32, 104:124] == red).all() and (image[32:42, 124:144] == blue).all()
    assert (image[22:32, 124:144] == 255).all()
