"""The built open head: properties that a head in FLAME's layout has. Skips where it has not been built."""

import numpy as np
import pytest
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from imavatar import assets
from imavatar.anatomy import Joint, pose_slice
from imavatar.head.assets import HeadAssets, load_head
from imavatar.head.flame import Flame
from imavatar.head.open_head import build_open_head
from imavatar.types import HeadParameters

OPEN_HEAD = assets.assets_dir() / "open_head.npz"
MAKEHUMAN = assets.assets_dir() / "makehuman"
METRES = 0.25


@pytest.fixture(scope="module")
def head() -> HeadAssets:
    if not OPEN_HEAD.exists():
        pytest.skip(f"{OPEN_HEAD} has not been built (scripts/build_head.py)")
    return load_head(OPEN_HEAD)


@pytest.fixture(scope="module")
def flame(head) -> Flame:
    return Flame(head, torch.zeros(100))


def posed(flame: Flame, joint: Joint | None = None, vector=(0.0, 0.0, 0.0), expression=None) -> np.ndarray:
    pose = torch.zeros(1, 15)
    if joint is not None:
        pose[0, pose_slice(joint)] = torch.tensor(vector)
    coefficients = torch.zeros(1, 50) if expression is None else torch.as_tensor(expression)[None]
    return METRES * flame.vertices(HeadParameters(coefficients, pose))[0].numpy()


def part(head: HeadAssets, name: str) -> np.ndarray:
    return np.unique(head.part_faces(name))


def test_it_has_skin_eyes_teeth_and_a_tongue(head):
    assert set(head.part_names) == {"skin", "eye_l", "eye_r", "teeth_up", "teeth_lo", "tongue"}
    for name in head.part_names:
        corners = head.v_template[head.part_faces(name)].astype(np.float64)
        volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
        assert volume > 0, f"{name} is inside out"


def test_the_skin_ends_in_one_clean_loop_at_the_neck(head):
    faces = head.part_faces("skin")
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, count = np.unique(edges, axis=0, return_counts=True)
    assert count.max() == 2
    rim = edges[count == 1]
    vertices, index = np.unique(rim, return_inverse=True)
    index = index.reshape(-1, 2)
    graph = coo_matrix((np.ones(len(index)), index.T), shape=(len(vertices), len(vertices)))
    assert connected_components(graph, directed=False)[0] == 1
    assert (np.bincount(index.ravel()) == 2).all()
    assert head.v_template[vertices, 1].max() < -0.08


def test_weights_and_joints_are_convex_combinations(head):
    np.testing.assert_allclose(head.weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(head.joint_regressor.sum(axis=1), 1, atol=1e-5)
    assert head.weights.min() >= 0 and head.joint_regressor.min() >= 0


def test_the_jaw_opens_the_mouth_and_carries_the_lower_teeth_rigidly(head, flame):
    rest, opened = posed(flame), posed(flame, Joint.JAW, (0.3, 0.0, 0.0))
    lower, upper = part(head, "teeth_lo"), part(head, "teeth_up")
    distances = np.linalg.norm(rest[lower][:, None] - rest[lower][None], axis=-1)
    moved = np.linalg.norm(opened[lower][:, None] - opened[lower][None], axis=-1)
    np.testing.assert_allclose(moved, distances, atol=1e-5)
    np.testing.assert_allclose(opened[upper], rest[upper], atol=1e-6)
    assert (rest[lower, 1] - opened[lower, 1]).mean() > 0.01
    lips = np.flatnonzero(head.regions["lips"] > 0.5)
    assert np.ptp(opened[lips, 1]) - np.ptp(rest[lips, 1]) > 0.008


def test_the_lids_follow_the_eyes(head, flame):
    lids = np.flatnonzero(head.regions["eyelids"] > 0.5)
    left = lids[head.v_template[lids, 0] > 0]
    down = posed(flame, Joint.LEFT_EYE, (0.3, 0.0, 0.0))[left] - posed(flame)[left]
    assert np.linalg.norm(down, axis=1).max() > 0.001


def test_named_expressions_move_what_they_name(head, flame):
    rest = posed(flame)
    lips = np.flatnonzero(head.regions["lips"] > 0.5)
    lids = np.flatnonzero(head.regions["eyelids"] > 0.5)
    smile = np.linalg.norm(posed(flame, expression=head.named_expressions["smile"]) - rest, axis=1)
    blink = np.linalg.norm(posed(flame, expression=head.named_expressions["blink"]) - rest, axis=1)
    assert smile[lips].max() > 0.005 > smile[lids].max()
    assert blink[lids].max() > 0.004 > blink[lips].max()


def test_face_units_are_of_one_side_and_move_what_they_name(head, flame):
    rest, units = posed(flame), head.face_units
    assert len(units) == 39 and not {"jawOpen", "mouthClose", "eyeLookInLeft"} & units.keys()
    lips, lids = (np.flatnonzero(head.regions[name] > 0.5) for name in ("lips", "eyelids"))
    left = head.v_template[:, 0] > 0
    blink = np.linalg.norm(posed(flame, expression=units["eyeBlinkLeft"]) - rest, axis=1)
    assert blink[lids[left[lids]]].max() > 0.004 > 4 * blink[lids[~left[lids]]].max()
    smile = np.linalg.norm(posed(flame, expression=units["mouthSmileRight"]) - rest, axis=1)
    assert smile[lips[~left[lips]]].max() > 0.004 > 0.001 > np.median(smile[lips[left[lips]]])
    np.testing.assert_allclose(
        head.named_expressions["blink"], units["eyeBlinkLeft"] + units["eyeBlinkRight"], atol=1e-4
    )


@pytest.mark.slow
@pytest.mark.skipif(
    not MAKEHUMAN.exists(), reason="the MakeHuman assets have not been fetched (scripts/fetch_assets.py)"
)
def test_building_it_twice_gives_the_same_head(head):
    again = build_open_head(MAKEHUMAN, seed=0)
    np.testing.assert_allclose(again.v_template, head.v_template, atol=1e-6)
    np.testing.assert_array_equal(again.faces, head.faces)
    for name, coefficients in again.face_units.items():
        np.testing.assert_allclose(coefficients, head.face_units[name], atol=1e-4)
