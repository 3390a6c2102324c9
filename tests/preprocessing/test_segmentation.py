"""Which network makes matte and labels, what is done without it, and that masks are read as they were meant."""

import numpy as np
import pytest

from imavatar.anatomy import ParsingLabel
from imavatar.assets import asset_path, is_there
from imavatar.data.images import FOREGROUND_THRESHOLD
from imavatar.errors import AssetError, DataError
from imavatar.preprocessing import multiclass, segmentation
from imavatar.preprocessing.landmarks import FaceLandmarks
from imavatar.preprocessing.multiclass import SelfieClass
from imavatar.preprocessing.segmentation import Segmenter, Segments, chosen, chosen_matting, described, segmenter
from made_face import disk, made_face


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """An empty assets folder."""
    monkeypatch.setenv("IMAVATAR_ASSETS", str(tmp_path))
    return tmp_path


class Flickering:
    """Half of a picture is hair, or nearly so, in turns."""

    input_size = 32

    def __init__(self):
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        logits = np.full((32, 32, 6), -4.0, np.float32)
        logits[..., SelfieClass.HAIR] = 1.0 if self.calls % 2 else 0.2
        logits[..., SelfieClass.BACKGROUND] = 0.0
        return [logits]


class Recurrent:
    """In place of the recurrent network: alpha falls from 1 on the left to 0 on the right; frames are counted."""

    def __init__(self):
        self.past = []

    def run(self, output_names, input_feed):
        height, width = input_feed["src"].shape[2:]
        self.past.append(float(input_feed["r1i"].max()))
        falling = np.linspace(1, 0, width, dtype=np.float32)
        states = [np.full((1, 1, 4, 4), self.past[-1] + 1, np.float32)] * 4
        return [np.broadcast_to(falling, (1, 1, height, width)), *states]


class Colours:
    """In place of the small model and colours."""

    def __call__(self, rgb):
        return np.ones(rgb.shape[:2], np.float32)


def test_without_the_network_place_and_colour_are_chosen_and_the_reader_is_told(nothing, monkeypatch, caplog):
    monkeypatch.setattr(segmentation, "ColourMatting", Colours)
    assert chosen("bisenet") == "bisenet-hard" and "hard outlines, and labels by BiSeNet" in described("bisenet-hard")
    assert chosen("auto") == "landmarks" and "not used" in described("landmarks")
    segments = segmenter("auto")(np.full((200, 200, 3), 120, np.uint8), made_face())
    assert "selfie_multiclass is not there" in caplog.text and "--only selfie_multiclass" in caplog.text
    assert segments.labels[105, 75] == ParsingLabel.SKIN and (segments.mask == 255).all()


def test_a_network_that_is_asked_for_must_be_there(nothing):
    for semantics in ("multiclass", "bisenet"):
        with pytest.raises(AssetError, match=r"is missing .*fetch_assets"):
            segmenter(semantics)


def test_a_damaged_network_is_no_missing_one(nothing):
    (nothing / "selfie_multiclass.tflite").write_bytes(b"cut")
    assert chosen("auto") == "multiclass" and chosen("bisenet") == "bisenet"
    with pytest.raises(AssetError, match="damaged or replaced"):
        segmenter("auto")


def test_an_unknown_choice_is_refused(nothing):
    with pytest.raises(DataError, match="'magic': expected one of auto, multiclass, bisenet, landmarks"):
        chosen("magic")


def test_a_recordings_frames_are_steadied_and_another_one_starts_anew(monkeypatch):
    monkeypatch.setattr(multiclass, "asset_path", lambda name: name)
    model = Flickering()
    monkeypatch.setattr(multiclass, "TfliteModel", lambda path: model)
    segment, image, face = Segmenter("multiclass"), np.full((100, 100, 3), 90, np.uint8), made_face(0.5)
    first, second = segment(image, face).alpha, segment(image, face).alpha
    segment.reset()
    model.calls = 1
    alone = segment(image, face).alpha
    corner = (slice(80, 100), slice(80, 100))
    assert 0 < np.abs(second - first)[corner].max() < 0.5 * np.abs(alone - first)[corner].max()


@pytest.fixture
def recurrent(monkeypatch) -> Recurrent:
    monkeypatch.setattr(multiclass, "asset_path", lambda name: name)
    monkeypatch.setattr(multiclass, "TfliteModel", lambda path: Flickering())
    network = Recurrent()
    monkeypatch.setattr(segmentation, "rvm_session", lambda: network)
    return network


@pytest.mark.parametrize("semantics", ["multiclass", "landmarks"])
def test_a_recurrent_matte_that_is_asked_for_is_the_matte_and_labels_are_where_it_says(recurrent, semantics):
    image, face = np.full((200, 220, 3), 90, np.uint8), made_face(0.5)
    segments = Segmenter(semantics, "rvm")(image, face)
    falling = np.linspace(1, 0, 220)
    # The outline is at column 109. The veil beside it reaches over 0.12 of the face's height of 50 pixels.
    np.testing.assert_allclose(segments.alpha[150, :116], falling[:116], atol=1e-6)
    assert (segments.alpha[150, 117:] == 0).all() and segments.alpha[50, 50] == 1
    np.testing.assert_array_equal(segments.labels > 0, segments.mask > FOREGROUND_THRESHOLD)
    assert 0 < segments.mask[150, 100] < 255


def test_a_recurrent_matte_goes_on_within_a_recording_and_begins_anew_with_another(recurrent):
    image, face = np.full((60, 60, 3), 90, np.uint8), made_face(0.25)
    segment = Segmenter("multiclass", "rvm")
    segment(image, face)
    segment(image, face)
    goes_on = recurrent.past[-1]
    segment.reset()
    del recurrent.past[:]
    segment(image, face)
    assert goes_on > 0 and recurrent.past[0] == 0


def test_labels_without_the_network_are_coarse_whatever_the_matte(nothing, recurrent, caplog):
    segmenter("auto", "rvm")
    assert "selfie_multiclass is not there, so labels are coarse" in caplog.text
    said = described("landmarks", "rvm")
    assert said.startswith("soft, by Robust Video Matting") and "GPL-3.0" in said and "by place and colour" in said
    assert "Robust" not in described("multiclass") and described("of another version") == "of another version"


def test_an_unknown_matte_is_refused(nothing):
    with pytest.raises(DataError, match="matting 'magic': expected one of auto, rvm"):
        segmenter("landmarks", "magic")
    assert [chosen_matting(name) for name in ("auto", "rvm")] == ["auto", "rvm"]


def test_a_written_mask_is_foreground_where_there_are_labels():
    alpha = np.linspace(0, 1, 100_001)[None]
    labels = (alpha > 0.5).astype(np.uint8)
    np.testing.assert_array_equal(Segments(alpha, labels).mask > FOREGROUND_THRESHOLD, labels == 1)


def test_the_real_network_sees_no_person_in_noise_but_keeps_the_face():
    try:
        there = is_there("selfie_multiclass") and asset_path("selfie_multiclass")
    except AssetError:
        there = False
    if not there:
        pytest.skip("selfie_multiclass has not been fetched")
    pytest.importorskip("ai_edge_litert")
    image = np.full((200, 200, 3), 200, np.uint8)
    face = made_face()
    segments = segmenter("multiclass")(image, FaceLandmarks(face.points, face.irises, 1.0))
    assert segments.alpha[~disk((100, 100), 60)].mean() < 0.5 and segments.labels[100, 100] != 0
