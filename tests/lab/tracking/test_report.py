"""The tables and files of an evaluation."""

import json

import numpy as np
import pytest

from imavatar.evaluation.number_table import table
from imavatar_lab.tracking.evaluation import Evaluated, Head
from imavatar_lab.tracking.report import CLIP, SYNTHETIC, write_results


def evaluated(name, **values) -> Evaluated:
    """With ten frames of curves."""
    return Evaluated(name, values, np.arange(10), np.ones((10, 3)), np.ones((10, 3)))


def test_the_table_has_means_and_sums_of_what_there_is():
    rows = {"a": {"gaze": 2.0, "blinks_true": 3.0}, "b": {"gaze": 4.0, "blinks_true": 2.0, "jaw": None}}
    lines = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in table(SYNTHETIC, rows).splitlines()}
    assert [cell.strip() for cell in lines["gaze, degrees"]] == ["2.00", "4.00", "3.00"]
    assert [cell.strip() for cell in lines["blinks"]] == ["3", "2", "5"]
    assert [cell.strip() for cell in lines["jaw, degrees"]] == ["-", "-", "-"]


def test_shares_are_percent():
    assert "| 1.25 " in table(CLIP, {"a": {"lips": 0.0125}})


def test_files_hold_all_numbers(tmp_path):
    text = write_results(tmp_path, [evaluated("one", gaze=2.5)], [evaluated("clip", lips=0.01)])
    assert "2.50" in text and "1.00" in text and (tmp_path / "tracking.md").read_text() == text
    content = json.loads((tmp_path / "tracking.json").read_text())
    assert content == {"synthetic": {"one": {"gaze": 2.5}}, "clips": {"clip": {"lips": 0.01}}}
    assert (tmp_path / "apertures_one.png").stat().st_size > 1000


def test_regions_of_the_open_head():
    head = pytest.importorskip("imavatar.assets").assets_dir() / "open_head.npz"
    if not head.is_file():
        pytest.skip(f"{head} is not there (scripts/fetch_assets.py, scripts/build_head.py)")
    loaded = Head.load("open")
    regions, template = loaded.regions, loaded.assets.v_template
    nose = int(np.argmax(template[:, 2]))
    assert nose in regions.face and nose not in regions.skull
    # The skull is on top and behind, the face in front and below; eyeballs are apart, the right one at negative x.
    assert template[regions.skull, 1].mean() > template[regions.face, 1].mean()
    assert template[regions.skull, 2].mean() < template[regions.face, 2].mean()
    right, left = regions.eyeballs
    assert template[right, 0].max() < 0 < template[left, 0].min()
    assert not set(regions.face) & {*right, *left}
