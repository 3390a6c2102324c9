"""Which way up a recording is, by a search that sees best what stands upright."""

from pathlib import Path

import numpy as np
import pytest

from imavatar.preprocessing import upright
from imavatar.preprocessing.face_search import SeenFace
from imavatar.preprocessing.upright import find_turn, turned

FACE = np.zeros((40, 60, 3), np.uint8)
FACE[:20] = 200  # its upper half is light
POINTS, BOX = np.zeros((468, 2)), np.array([0.0, 0, 40, 40])


def search(rgb, near=(), *, thorough=False):
    """As the networks do: half sure of faces on their heads, and of the roll of those on their sides."""
    rows, columns = np.where(rgb[..., 0] > 100)
    if not len(rows):
        return []
    height, width = rgb.shape[:2]
    if np.ptp(rows) < height - 2:
        up = rows.mean() < height / 2
        return [SeenFace(BOX, POINTS, 0.93 if up else 0.6, 19.0 if up else 3.0, 0.0)]
    side = -1 if columns.mean() < width / 2 else 1
    return [SeenFace(BOX, POINTS, 0.75, 18.0, side * np.pi / 2)]


def found(monkeypatch, frames) -> int:
    monkeypatch.setattr(upright, "read_frames", lambda path, fps=None: iter(frames))
    return find_turn(Path("a.mp4"), search, 25.0)


@pytest.mark.parametrize("turn", range(4))
def test_a_recording_is_turned_until_its_face_stands(monkeypatch, turn):
    assert found(monkeypatch, [turned(FACE, turn)] * 60) == -turn % 4


def test_a_recording_without_faces_stays_as_it_is(monkeypatch):
    assert found(monkeypatch, [np.zeros((40, 60, 3), np.uint8)] * 60) == 0


def test_one_upright_face_beyond_doubt_outweighs_doubtful_ones(monkeypatch):
    frames = [turned(FACE, 2)] * 50 + [FACE] * 30
    assert found(monkeypatch, frames) == 0


def test_frames_without_faces_do_not_decide(monkeypatch):
    frames = [np.zeros((40, 60, 3), np.uint8)] * 100 + [turned(FACE, 2)] * 200
    assert found(monkeypatch, frames) == 2
