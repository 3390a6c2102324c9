"""Which pixels count: the hull of the landmarks, masks, clothes."""

import math
from dataclasses import replace

import pytest
import torch

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import FaceDataset
from imavatar.errors import ConfigError, DataError
from imavatar.evaluation.protocols import PROTOCOLS, face_interior, protocols_of
from oracles_subject import write_subject


def circle(radius: float, centre: tuple[float, float], n: int = 68):
    angle = torch.arange(n) * 2 * math.pi / n
    return torch.stack([centre[0] + radius * angle.cos(), centre[1] + radius * angle.sin()], dim=1)


def test_landmarks_on_a_circle_have_its_disc_as_interior():
    mask = face_interior(circle(20, (40, 30)), 64, 96)
    y, x = torch.meshgrid(torch.arange(64), torch.arange(96), indexing="ij")
    distance = torch.hypot(x - 40.0, y - 30.0)
    assert mask.shape == (64, 96)
    assert mask[distance < 19].all()
    assert not mask[distance > 21].any()


def test_landmarks_inside_the_hull_and_points_beyond_the_landmarks_change_nothing():
    outline = circle(20, (40, 30))
    inner = outline.clone()
    inner[1::2] = circle(5, (40, 30), n=34)
    mask = face_interior(torch.cat([inner, torch.tensor([[90.0, 60.0]])]), 64, 96)
    assert (mask == face_interior(outline[::2], 64, 96)).all()


def test_landmarks_beyond_the_image_are_cut_off_at_its_border():
    mask = face_interior(circle(20, (0, 0)), 64, 96)
    assert mask[0, 0] and mask[0, 18] and not mask[0, 22]
    assert not mask[30:].any()


@pytest.fixture
def frame(tmp_path):
    folder = write_subject(tmp_path, size=(48, 40), n_frames=1, sub_dirs=("test",))
    return FaceDataset(folder, "sphere", ["test"], (48, 40), use_semantics=True).frame(0)


def test_pixels_of_the_protocols_are_nested_and_lack_what_they_say(frame):
    face, mask, bare = (PROTOCOLS[name].pixels(frame) for name in ("paper", "foreground", "no-cloth"))
    assert torch.equal(mask, frame.foreground)
    assert 0 < face.sum() < mask.sum() and not (face & ~mask).any()
    cloth = frame.semantics[..., SemanticClass.CLOTH] > 0.5
    assert cloth.any() and torch.equal(bare, mask & ~cloth)
    assert torch.equal(PROTOCOLS["mask"].pixels(frame), mask) and torch.equal(PROTOCOLS["face"].pixels(frame), face)
    assert PROTOCOLS["full"].pixels(frame) is None


@pytest.mark.parametrize("name", ["no-cloth", "hair-rim"])
def test_what_needs_labels_says_so(frame, name):
    assert PROTOCOLS[name].needs_semantics
    with pytest.raises(DataError, match=f"has no semantic map, which the protocol {name} needs"):
        PROTOCOLS[name].pixels(replace(frame, semantics=None))


def test_regions_of_a_frame_are_those_of_its_landmarks_mask_and_labels(frame):
    points = frame.keypoints.clone()
    height, width = frame.foreground.shape
    points[42:48] = circle(5, (width / 2, height / 2), n=6)
    points[48:60] = circle(6, (width / 2, height / 2 + 6), n=12)
    points[36:42] = circle(1, (width / 2, height / 2), n=6)
    changed = replace(frame, keypoints=points)
    eyes, mouth = (PROTOCOLS[name].pixels(changed) for name in ("eyes", "mouth"))
    assert eyes[height // 2, width // 2] and mouth[height // 2 + 6, width // 2]
    assert not (eyes & ~frame.foreground).any() and not (mouth & ~frame.foreground).any()
    hair = frame.foreground & (frame.semantics[..., SemanticClass.HAIR] > 0.5)
    found = PROTOCOLS["hair-rim"].pixels(frame)
    assert hair.any() and not (hair & ~found).any() and (found & ~frame.foreground).any()


def test_a_protocol_that_does_not_exist_is_refused_with_those_that_do():
    assert [protocol.name for protocol in protocols_of(["face", "paper"])] == ["face", "paper"]
    with pytest.raises(
        ConfigError, match="no protocol papers; there are paper, foreground, no-cloth, full, mask, face, eyes"
    ):
        protocols_of(["paper", "papers"])
