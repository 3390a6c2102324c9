"""The thickness of a cap on an ellipsoid head, measured in painted masks and labels."""

import cv2
import numpy as np
import pytest
import torch

from imavatar.anatomy import SemanticClass
from imavatar.data.dataset import Frame
from imavatar.head.flame import Flame
from imavatar.numerics.mesh import vertex_normals
from imavatar.rendering.camera import project
from imavatar.training.hair_offset import VertexObservations, observe_vertices, offset_head_by_masks, spread_thickness
from imavatar.types import Camera, HeadParameters
from oracles_ellipsoid_head import ellipsoid, ellipsoid_head

SIZE, THICKNESS = 200, 0.1
CLASSES = len(SemanticClass)


@pytest.fixture(scope="module")
def flame() -> Flame:
    return Flame(ellipsoid_head(), torch.zeros(100))


def cap(flame: Flame) -> np.ndarray:
    """How thick the cap on the upper part of the head is, a vertex each."""
    height = flame.v_template[:, 1].numpy()
    eyes = flame.lbs_weights[:, 3:].sum(dim=1).numpy() > 0.5
    return np.where((height > 0.15) & ~eyes, THICKNESS, 0.0)


def painted(flame: Flame, rotation: list[float]) -> Frame:
    """A frame of the turned head with its cap; far faces are painted first."""
    pose = torch.zeros(1, 15)
    pose[0, :3] = torch.tensor(rotation)
    head = HeadParameters(torch.zeros(1, 50), pose)
    world = torch.eye(4)[None].clone()
    world[0, 2, 3] = 6.0
    camera = Camera(torch.tensor([[-900.0, 900.0, SIZE / 2, SIZE / 2]]), world)
    faces = flame.faces_tensor.numpy()
    vertices = flame.vertices(head)[0]
    thickness = cap(flame)
    dressed = vertices.numpy() + thickness[:, None] * vertex_normals(vertices.numpy(), faces)
    pixels = project(camera, torch.tensor(dressed)[None].float())[0].numpy()
    labels = np.full((SIZE, SIZE), SemanticClass.BACKGROUND, np.uint8)
    for face in faces[np.argsort(dressed[faces, 2].mean(axis=1))]:
        kind = SemanticClass.HAIR if (thickness[face] > 0).any() else SemanticClass.SKIN
        cv2.fillConvexPoly(labels, np.rint(pixels[face]).astype(np.int32), int(kind))
    semantics = torch.tensor(np.eye(CLASSES, dtype=np.float32)[labels])
    foreground = torch.tensor(labels != SemanticClass.BACKGROUND)
    return Frame("1", "train", None, foreground, semantics, camera, head, torch.zeros(4), torch.zeros(70, 2))


def views(flame: Flame) -> list[Frame]:
    return [painted(flame, [pitch, yaw, 0.0]) for pitch in (-0.2, 0.2) for yaw in (-0.4, 0.0, 0.4)]


def test_the_thickness_of_a_cap_is_found_at_its_contour(flame):
    observations, thickness = observe_vertices(flame, views(flame)), cap(flame)
    measured = ~np.isnan(observations.thickness) & (thickness > 0) & (flame.v_template[:, 1].numpy() > 0.2)
    assert measured.sum() > 50
    assert np.abs(observations.thickness[measured] - THICKNESS).mean() < 0.02
    face = (flame.v_template[:, 2].numpy() > 0.2) & (thickness == 0) & (flame.v_template[:, 1].numpy() < 0.05)
    assert (observations.bare[face] >= observations.covered[face]).mean() > 0.95


def test_a_dressed_head_has_the_cap_even_where_no_contour_was_and_a_bare_face(flame):
    moved = (offset_head_by_masks(flame, views(flame)) - flame.canonical_vertices).norm(dim=1).numpy()
    template, thickness = flame.v_template.numpy(), cap(flame)
    crown, back = template[:, 1] > 0.25, (template[:, 1] > 0.2) & (template[:, 2] < -0.1)
    for part in (crown & (thickness > 0), back & (thickness > 0)):
        assert moved[part].mean() == pytest.approx(THICKNESS, rel=0.25)
    face = (template[:, 2] > 0.2) & (template[:, 1] < 0.0) & (template[:, 1] > -0.3)
    assert moved[face].mean() < 0.1 * THICKNESS


def test_a_head_that_is_bare_in_all_frames_stays_as_it_is(flame):
    bare = views(flame)
    for frame in bare:
        frame.semantics[..., SemanticClass.SKIN] += frame.semantics[..., SemanticClass.HAIR]
        frame.semantics[..., SemanticClass.HAIR] = 0
    moved = (offset_head_by_masks(flame, bare) - flame.canonical_vertices).norm(dim=1)
    seen = flame.v_template[:, 2] > 0.1
    assert moved[seen].max() < 0.3 * THICKNESS


def test_thickness_spreads_evenly_and_parts_of_which_nothing_is_known_have_none():
    _, first = ellipsoid([1.0] * 3, [0, 0, 0], 12, 16)
    vertices, second = ellipsoid([1.0] * 3, [3, 0, 0], 12, 16)
    n = len(vertices)
    measured = np.full(2 * n, np.nan)
    measured[:n:7] = 0.2
    none = np.zeros(2 * n)
    thickness = spread_thickness(VertexObservations(none, none, measured), np.concatenate([first, second + n]))
    np.testing.assert_allclose(thickness[:n], 0.2, rtol=0.02)
    assert thickness[n:].max() < 1e-9
