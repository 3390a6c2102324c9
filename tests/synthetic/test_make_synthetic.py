"""The synthetic subject, rendered small; needs Mitsuba, MakeHuman's files and the open head."""

import json
import os

import numpy as np
import pytest

from imavatar.anatomy import ParsingLabel
from imavatar.data.ground_truth import NORMALS, read_normals
from imavatar.data.images import read_colour, read_grey
from imavatar.data.workplace import subject_lock
from imavatar.errors import BusyError, DataError
from imavatar.files.locks import locked
from imavatar.synthetic.generator import make_synthetic
from imavatar.synthetic.sequences import STRONG_MOTION, TEST, TRAIN, VIEWS
from imavatar.synthetic.settings import (
    MANIFEST,
    SubjectSettings,
    fingerprint,
    has_manifest,
    random_people,
    write_manifest,
)
from oracles_ellipsoid_head import ellipsoid_head
from requires_mitsuba import requires_mitsuba

SIZE = 48


def record(out, *, n_train=3, n_test=1, n_strong=0, workers=0, **changes):
    counts = {TRAIN: n_train, TEST: n_test, STRONG_MOTION: n_strong}
    frames = {name: count for name, count in counts.items() if count > 0}
    settings = SubjectSettings(**{"size": SIZE, "samples": 4, "seed": 0, "frames": frames} | changes)
    (folder,) = make_synthetic(out, [settings], workers=workers)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return record(tmp_path_factory.mktemp("synthetic"))


def images(folder, k: int):
    colour = read_colour(folder / "image" / f"{k}.png", "image")
    return colour, read_grey(folder / "mask" / f"{k}.png", "mask"), read_grey(folder / "semantic" / f"{k}.png", "map")


@requires_mitsuba
def test_the_head_fills_its_share_of_the_image(folder):
    for k in (1, 2, 3):
        colour, mask, semantic = images(folder / "train", k)
        assert colour.shape == (SIZE, SIZE, 3)
        head = (semantic != ParsingLabel.BACKGROUND) & (semantic != ParsingLabel.CLOTH)
        assert 0.30 < head.mean() < 0.45
        assert (colour[mask == 0] == 255).all()
        labelled = semantic != ParsingLabel.BACKGROUND
        assert (labelled == (mask > 127)).mean() > 0.98


@requires_mitsuba
def test_landmarks_of_the_eyes_lie_on_the_eyes(folder):
    table = json.loads((folder / "train" / "flame_params.json").read_text())
    seen = 0
    for k, frame in enumerate(table["frames"], start=1):
        semantic = images(folder / "train", k)[2]
        eyes = np.isin(semantic, (ParsingLabel.LEFT_EYE, ParsingLabel.RIGHT_EYE))
        seen += eyes.sum() >= 4
        if eyes.sum() < 4:
            continue  # a blink
        rows, columns = np.nonzero(eyes)
        points = (np.array(frame["flame_keypoints"])[36:48] + 1) * SIZE / 2
        np.testing.assert_allclose(points.mean(axis=0), [columns.mean(), rows.mean()], atol=1.5)
    assert seen >= 2


@requires_mitsuba
def test_what_is_there_is_kept_and_what_is_missing_is_made_the_same(folder):
    image = folder / "test" / "image" / "1.png"
    before, kept = image.read_bytes(), (folder / "train" / "image" / "1.png").stat().st_mtime_ns
    image.unlink()
    (folder / "test" / "flame_params.json").unlink()
    record(folder.parent.parent)
    assert (folder / "train" / "image" / "1.png").stat().st_mtime_ns == kept
    assert image.read_bytes() == before


@requires_mitsuba
def test_other_processes_render_the_same_and_a_harder_sequence_leaves_the_others_as_they_are(folder, tmp_path):
    again = record(tmp_path, n_train=2, n_strong=2, workers=1)
    for k in (1, 2):
        name = f"image/{k}.png"
        assert (again / "train" / name).read_bytes() == (folder / "train" / name).read_bytes()
        assert (again / "harder" / name).is_file()


@requires_mitsuba
def test_another_request_for_the_same_folder_is_refused(folder):
    with pytest.raises(DataError, match="seed is 0, asked for is 7"):
        record(folder.parent.parent, seed=7)


@requires_mitsuba
def test_one_process_works_on_a_subject_and_what_is_finished_needs_no_lock(folder, tmp_path):
    with locked(subject_lock(folder.parent.parent, "synthetic"), "a test"):
        assert record(folder.parent.parent) == folder
    with (
        locked(subject_lock(tmp_path, "synthetic"), "a test"),
        pytest.raises(BusyError, match=rf"^{tmp_path}: a test \(process {os.getpid()} on"),
    ):
        record(tmp_path)
    assert not (tmp_path / "synthetic").exists()


@requires_mitsuba
def test_a_finished_subject_in_a_folder_that_cannot_be_written_is_there(folder, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    assert record(folder.parent.parent) == folder
    (folder / "test" / "flame_params.json").rename(folder / "test" / "away.json")
    with pytest.raises(DataError, match=r"cannot be written \(Read-only file system\)"):
        record(folder.parent.parent)
    (folder / "test" / "away.json").rename(folder / "test" / "flame_params.json")


@requires_mitsuba
def test_what_killed_processes_were_writing_is_removed(folder):
    names = [".1.png.77-0a1b2c3d.tmp.png", "flame_params.json.partial"]
    for name in names:
        (folder / "test" / name).write_text("half")
    (folder / "test" / "flame_params.json").unlink()
    record(folder.parent.parent)
    assert not any((folder / "test" / name).exists() for name in names)
    assert (folder / "test" / "flame_params.json").exists()


def test_a_folder_of_the_users_own_is_not_touched(tmp_path):
    (tmp_path / "me" / "me").mkdir(parents=True)
    with pytest.raises(DataError, match="was not made by this command"):
        write_manifest(tmp_path / "me" / "me", {"subject": "me"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject": "../x"}, "not a name"),
        ({"size": 4}, "size is 4"),
        ({"frames": {TRAIN: 0}}, "the sequence train has 0 frames"),
        ({"frames": {"valid": 3}}, "there is no sequence 'valid'"),
        ({"hair": "bald"}, "hair is 'bald', expected surface or strands"),
    ],
)
def test_impossible_requests_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        SubjectSettings(**{"subject": "s", "size": 64} | change)


def test_people_are_numbered_and_there_is_at_least_one():
    people = random_people(3, frames={TRAIN: 2}, size=64, seed=5)
    assert [p.subject for p in people] == ["subject_00", "subject_01", "subject_02"]
    assert [p.seeds for p in people] == [(5, 0), (5, 1), (5, 2)]
    with pytest.raises(DataError, match="0 subjects asked for"):
        random_people(0)


NOTE_OF_AN_OPEN_HEAD = """{
  "subject": "me",
  "size": 32,
  "n_train": 3,
  "n_test": 2,
  "seed": 5,
  "samples": 2,
  "head": "HEAD",
  "look": 2,
  "hair": "surface",
  "n_harder": 0
}
"""
NOTE_OF_A_PERSON = """{
  "subject": "subject_01",
  "index": 1,
  "size": 32,
  "frames": {
    "train": 2,
    "test_views": 4
  },
  "seed": 3,
  "samples": 2,
  "head": "HEAD",
  "version": 1
}
"""


def test_notes_are_those_of_version_0_1_0_so_that_its_data_are_not_made_again(tmp_path):
    head = ellipsoid_head()
    open_head = SubjectSettings("me", {TRAIN: 3, TEST: 2}, size=32, samples=2, seed=5)
    person = random_people(2, frames={TRAIN: 2, VIEWS: 4}, size=32, samples=2, seed=3)[1]
    for settings, expected in ((open_head, NOTE_OF_AN_OPEN_HEAD), (person, NOTE_OF_A_PERSON)):
        folder, text = tmp_path / settings.subject / settings.subject, expected.replace("HEAD", fingerprint(head))
        write_manifest(folder, settings.note(head))
        assert (folder.parent / MANIFEST).read_text() == text
        assert has_manifest(folder, settings.note(head))


@requires_mitsuba
def test_hair_can_be_strands_and_normals_face_the_camera(tmp_path):
    folder = record(tmp_path, hair="strands", n_train=1, size=64) / "train"
    _, mask, semantic = images(folder, 1)
    assert ((semantic != ParsingLabel.BACKGROUND) == (mask > 127)).mean() > 0.98
    normals = read_normals(folder / NORMALS / "1.png")
    skin = semantic == ParsingLabel.SKIN
    np.testing.assert_allclose(np.linalg.norm(normals[skin], axis=-1), 1, atol=1e-3)
    assert (normals[skin][:, 2] > 0).mean() > 0.95
    with pytest.raises(DataError, match="hair is strands, asked for is surface"):
        record(tmp_path, hair="surface", n_train=1, size=64)
