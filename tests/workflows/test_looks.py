"""Looks of a folder's renderings, with a detector that reads apertures out of the pictures' brightness."""

import json
from dataclasses import replace

import numpy as np
import pytest

from imavatar.cli.evaluate import evaluate_main
from imavatar.data.dataset import FaceDataset
from imavatar.data.images import write_png
from imavatar.errors import DataError
from imavatar.evaluation.face_descriptor import FaceDescriptor
from imavatar.preprocessing.landmarks import FaceLandmarker, FaceLandmarks
from imavatar.rendering.image_export import colour_bytes
from imavatar.training.run_folder import RunFolder
from imavatar.workflows import looks
from imavatar.workflows.evaluating import ScoreOptions
from imavatar.workflows.looks import LookNetworks, look_at_renderings, look_at_run, rendering_paths
from made_looks import face
from oracles_subject import write_subject
from tiny_runs import untrained

N = 4


class Landmarker(FaceLandmarker):
    """Sees a face whose lips are as far open as the middle of the picture is red; none in a black picture."""

    def __init__(self):
        self.n_resets = 0

    def reset(self):
        self.n_resets += 1

    def detect(self, rgb, near=None):
        red = int(rgb[16, 16, 0])
        if red == 0:
            return None
        made = face(lips=red / 2550)
        return FaceLandmarks(made.points, np.repeat(made.irises[:, None], 5, axis=1), 1.0)


@pytest.fixture
def dataset(tmp_path) -> FaceDataset:
    write_subject(tmp_path, n_frames=N)
    return FaceDataset(tmp_path, "sphere", ["test"], (32, 32), use_semantics=False)


def render(folder, dataset, change=lambda k, image: image):
    for k, path in enumerate(rendering_paths(folder, dataset)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, change(k, colour_bytes(dataset.frame(k).image)))


def test_renderings_that_are_the_pictures_look_the_same(dataset, tmp_path):
    render(tmp_path / "out", dataset)
    networks = LookNetworks(Landmarker(), None)
    found = look_at_renderings(tmp_path / "out", dataset, networks)
    assert found.values["lip_error"] == 0 and found.values["faces_drawn"] == N
    assert found.time.tolist() == [1, 2, 3, 4]
    assert networks.landmarker.n_resets == 2
    content = json.loads((tmp_path / "out" / "looks.json").read_text())
    assert content["values"]["lip_error"] == 0
    assert "--only face_recognition" in content["notes"][0]


def test_each_rendering_is_compared_with_its_own_picture(dataset, tmp_path):
    def darker(k, image):
        return np.zeros_like(image) if k == 2 else (image // 2 if k == 1 else image)

    render(tmp_path / "out", dataset, darker)
    found = look_at_renderings(tmp_path / "out", dataset, LookNetworks(Landmarker(), None))
    assert found.time.tolist() == [1, 2, 4] and found.values["faces"] == N
    red = int(colour_bytes(dataset.frame(1).image)[16, 16, 0])
    assert found.values["lip_error"] == pytest.approx((red - red // 2) / 2550 / 3)


class Descriptor(FaceDescriptor):
    """Describes a face by how red its lips are."""

    def of_image(self, rgb, points):
        return np.full(128, rgb[16, 16, 0] / 2550)


def test_descriptors_of_the_two_faces_are_compared(dataset, tmp_path):
    render(tmp_path / "out", dataset, lambda k, image: image // 2)
    found = look_at_renderings(tmp_path / "out", dataset, LookNetworks(Landmarker(), Descriptor({})))
    red = np.array([int(colour_bytes(dataset.frame(k).image)[16, 16, 0]) for k in range(N)])
    np.testing.assert_allclose(found.distance, np.sqrt(128) * (red - red // 2) / 2550)


HARMS = {"missing": "missing|does not exist|no such", "size": "64 x 64 pixels, expected the 32 x 32"}


@pytest.mark.parametrize("harm", HARMS)
def test_renderings_that_do_not_belong_are_named(dataset, tmp_path, harm):
    render(tmp_path / "out", dataset)
    path = rendering_paths(tmp_path / "out", dataset)[1]
    if harm == "missing":
        path.unlink()
    else:
        write_png(path, np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(DataError, match=rf"rgb/2\.png.*({HARMS[harm]})"):
        look_at_renderings(tmp_path / "out", dataset, LookNetworks(Landmarker(), None))


def test_a_run_without_renderings_is_rendered_first(dataset, tmp_path, monkeypatch):
    run = replace(untrained(tmp_path), epoch=3, folder=RunFolder(tmp_path / "run"))
    asked = []

    def score(trained, protocols, options):
        asked.append((protocols, options))
        render(trained.folder.evaluation("test", 3), dataset)

    monkeypatch.setattr(looks, "score_run", score)
    monkeypatch.setattr(LookNetworks, "load", classmethod(lambda cls: cls(Landmarker(), None)))
    for _ in range(2):
        found = look_at_run(run, ["full"], ScoreOptions())
        assert found["test"].values["faces_drawn"] == N
    assert asked == [(["full"], ScoreOptions(("test",), again=True, images=True))]


def test_without_a_detector_there_are_no_looks_and_a_message_says_why(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path / "none"))
    assert look_at_run(untrained(tmp_path), ["full"], ScoreOptions()) == {}
    assert "looks skipped" in caplog.text


def test_looks_of_fitted_renderings_are_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        evaluate_main(["a", "--looks", "--fit-test"])
    assert stop.value.code == 2 and "not together with --fit-test" in capsys.readouterr().err
