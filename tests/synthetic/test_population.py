"""A data set of two subjects, rendered small; needs Mitsuba, MakeHuman's files and the open head."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from imavatar import assets
from imavatar.anatomy import HEAD_SCALE, ParsingLabel
from imavatar.data.dataset import FaceDataset
from imavatar.data.ground_truth import read_ground_truth
from imavatar.data.images import read_grey
from imavatar.errors import DataError
from imavatar.head.assets import load_head
from imavatar.head.flame import Flame
from imavatar.synthetic.data_card import count_faces, write_contact_sheet, write_data_card
from imavatar.synthetic.generator import make_synthetic
from imavatar.synthetic.ground_truth_files import FIT_FILE
from imavatar.synthetic.settings import random_people
from requires_mitsuba import requires_mitsuba

SIZE = 64
FRAMES = {"train": 2, "test_extrapolation": 2, "test_views": 2}
pytestmark = requires_mitsuba


def make(out, n_subjects=2, *, workers=0, **changes):
    people = random_people(n_subjects, **{"size": SIZE, "samples": 4, "seed": 3, "frames": FRAMES} | changes)
    return SimpleNamespace(folders=make_synthetic(out, people, workers=workers), settings=people[0])


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    return make(tmp_path_factory.mktemp("population"))


def test_subjects_differ_and_the_head_model_is_near_but_not_the_same(population):
    fits = [json.loads((folder.parent / FIT_FILE).read_text()) for folder in population.folders]
    assert [fit["look"]["hair"] for fit in fits] == ["short", "long"]
    shapes = np.array([fit["shape"] for fit in fits])
    assert np.abs(shapes[0] - shapes[1]).max() > 0.5
    for fit in fits:
        assert 0.05 < fit["error_mm"]["train"]["mean"] < 1.5


def test_recordings_are_read_as_any_others_and_their_parameters_reach_the_vertices(population):
    head, folder = load_head(assets.assets_dir() / "open_head.npz"), population.folders[0]
    fit = json.loads((folder.parent / FIT_FILE).read_text())
    data = FaceDataset(folder.parent.parent, folder.name, ["train"], [SIZE, SIZE])
    known = np.load(folder / "train" / "ground_truth" / "vertices.npz")
    flame = Flame(head, torch.as_tensor(data.shape_params))
    skin = np.unique(head.part_faces("skin"))
    for k in range(len(data)):
        posed = flame.vertices(data.frame(k).head)[0].double().numpy() / HEAD_SCALE
        off = 1000 * np.linalg.norm(posed - known["vertices"][k], axis=1)[skin]
        # With joints that follow another shape a little more than at rest.
        assert off.mean() < fit["error_mm"]["train"]["mean"] + 1.0
    np.testing.assert_array_equal(known["faces"], head.faces)


def test_depth_is_that_of_the_vertices_and_exact_pixels_show_no_hair(population):
    folder = population.folders[1] / "test_views"
    table = json.loads((folder / "flame_params.json").read_text())
    landmarks, vertices = (np.load(folder / "ground_truth" / f"{name}.npz") for name in ("landmarks", "vertices"))
    for k, frame in enumerate(table["frames"]):
        truth, world_mat = read_ground_truth(folder, str(k + 1)), np.array(frame["world_mat"])
        semantic = read_grey(folder / "semantic" / f"{k + 1}.png", "map")
        assert (
            truth.exact.any() and not np.isin(semantic[truth.exact], (ParsingLabel.HAIR, ParsingLabel.BACKGROUND)).any()
        )
        assert (truth.depth[truth.exact] > 0).all()
        camera_z = -(vertices["vertices"][k] @ world_mat[2, :3] + world_mat[2, 3] / HEAD_SCALE)
        seen = truth.depth[truth.exact]
        assert camera_z.min() - 0.01 < seen.min() and seen.max() < camera_z.max() + 0.15
        # The tip of the nose is seen from every view of the ring: its depth is the landmark's.
        tip, (u, v) = landmarks["points"][k, 1], np.rint(landmarks["pixels"][k, 1]).astype(int)
        expected = -(tip @ world_mat[2, :3] + world_mat[2, 3] / HEAD_SCALE)
        assert truth.depth[v, u] == pytest.approx(expected, abs=0.004)


def test_frames_say_how_they_were_made(population):
    with (population.folders[0] / "test_extrapolation" / "ground_truth" / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["1", "2"]
    assert [row["part"] for row in rows] == ["beyond", "beyond"]
    assert float(rows[1]["jaw"]) > float(rows[0]["jaw"]) > 0.2


def test_what_is_there_is_kept_missing_frames_are_made_the_same_and_other_requests_refused(population):
    out = population.folders[0].parent.parent
    recording = population.folders[0] / "test_extrapolation"
    image = recording / "image" / "2.png"
    before, kept = image.read_bytes(), (recording / "image" / "1.png").stat().st_mtime_ns
    image.unlink()
    (recording / "flame_params.json").unlink()
    make(out)
    assert image.read_bytes() == before and (recording / "image" / "1.png").stat().st_mtime_ns >= kept
    with pytest.raises(DataError, match="seed is 3, asked for is 4"):
        make(out, seed=4)


def test_card_and_sheet_describe_all_subjects(population, tmp_path):
    sheet = write_contact_sheet(tmp_path, population.folders, list(FRAMES))
    assert read_grey(sheet, "sheet").shape == (2 * SIZE, 7 * SIZE)
    card = write_data_card(tmp_path, population.folders, population.settings).read_text()
    for text in ("subject_00", "subject_01", "long", "test_views", "CC0", "beyond 4", "seed 3"):
        assert text in card
    assert "was not tried" in card


def test_the_card_says_in_how_many_pictures_a_face_is_found(population, tmp_path):
    asked = []

    def detect(image):
        asked.append(image.shape)
        return None if len(asked) == 1 else "a face"

    recordings = [folder / name for folder in population.folders for name in FRAMES]
    counts = [count_faces(recording, detect) for recording in recordings]
    n = 2 * sum(FRAMES.values())
    assert len(asked) == n and sum(found for found, _ in counts) == n - 1
    assert [count_faces(recording, detect) for recording in recordings] == counts and len(asked) == n
    card = write_data_card(tmp_path, population.folders, population.settings).read_text()
    assert f"finds a face in {n - 1} of {n} pictures" in card


@pytest.mark.parametrize(
    ("changes", "message"), [({"n_subjects": 0}, "0 subjects"), ({"frames": {"train": 0}}, "train has 0 frames")]
)
def test_impossible_requests_are_refused(changes, message, tmp_path):
    with pytest.raises(DataError, match=message):
        make(tmp_path, **changes)
