"""Landmark embeddings: points on a mesh, their file, and finding them with a detector that knows the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from imavatar.errors import AssetError
from imavatar.head.landmark_casting import closest_barycentric, robust_mean, snap
from imavatar.head.landmark_views import Paint, default_poses, outer_faces, painted_views, points_in_polygon
from imavatar.head.landmarks import compute_embedding, embedding_path, flame_keypoints, load_embedding, save_embedding
from oracles_ellipsoid_head import ellipsoid_head, random_embedding


@pytest.fixture(scope="module")
def assets():
    """The ellipsoid head."""
    return ellipsoid_head()


@pytest.fixture(scope="module")
def embedding(assets):
    """Random places on it."""
    return random_embedding(assets)


def template_points(assets, embedding) -> np.ndarray:
    """Landmarks on the template, metres."""
    faces = torch.as_tensor(assets.faces)
    return embedding.points(torch.as_tensor(assets.v_template)[None], faces)[0].numpy()


def test_points_move_with_an_affine_map_of_the_mesh(assets, embedding):
    matrix = torch.tensor([[0.0, -2, 0], [1, 0, 0.5], [0, 0, 3]])
    vertices, faces = torch.as_tensor(assets.v_template)[None], torch.as_tensor(assets.faces)
    moved = embedding.points(vertices @ matrix + 1, faces)
    torch.testing.assert_close(moved, embedding.points(vertices, faces) @ matrix + 1)


def test_keypoints_end_with_the_right_and_left_pupil_at_the_front_of_the_eyes(assets, embedding):
    pupils = flame_keypoints(torch.as_tensor(assets.v_template)[None], assets, embedding)[0, -2:]
    expected = [[-0.032, 0.02, 0.087], [0.032, 0.02, 0.087]]
    np.testing.assert_allclose(pupils, expected, atol=1e-3)


def test_a_saved_embedding_reads_back_the_same(tmp_path, assets, embedding):
    path = embedding_path(tmp_path / "some_head.pkl")
    save_embedding(path, embedding, assets)
    found = load_embedding(path, assets)
    np.testing.assert_array_equal(found.faces, embedding.faces)
    np.testing.assert_array_equal(found.barycentric, embedding.barycentric)
    assert [p.name for p in tmp_path.iterdir()] == ["some_head.face_landmarker.npz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: {"faces": e["faces"] + 10**6}, "faces holds indices"),
        (lambda e: {"faces": e["faces"][:68]}, r"faces has shape \(68,\), expected \(468,\)"),
        (lambda e: {"barycentric": e["barycentric"] * 2}, "do not sum to 1"),
    ],
)
def test_a_broken_embedding_is_refused_with_what_is_wrong(tmp_path, assets, embedding, change, message):
    path = tmp_path / "head.face_landmarker.npz"
    save_embedding(path, embedding, assets)
    with np.load(path) as arrays:
        content = dict(arrays)
    np.savez(path, **{**content, **change(content)})
    with pytest.raises(AssetError, match=message):
        load_embedding(path, assets)


def test_a_missing_a_cut_and_a_foreign_file_are_refused(tmp_path, assets, embedding):
    path = tmp_path / "head.face_landmarker.npz"
    with pytest.raises(AssetError, match="build_head"):
        load_embedding(path)
    save_embedding(path, embedding, assets)
    with pytest.raises(AssetError, match="belongs to a head with"):
        load_embedding(path, replace(assets, faces=assets.faces[:-4]))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(AssetError, match="not a readable"):
        load_embedding(path)


def test_the_nearest_point_of_a_triangle_is_never_farther_than_any_other_of_its_points():
    generator = np.random.default_rng(0)
    points, triangles = generator.normal(size=(200, 3)) * 2, generator.normal(size=(200, 3, 3))
    weights = closest_barycentric(points, triangles)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    nearest = np.linalg.norm(np.einsum("nk,nkx->nx", weights, triangles) - points, axis=1)
    others = np.einsum("ok,nkx->nox", generator.dirichlet(np.ones(3) * 0.5, 500), triangles)
    assert (nearest[:, None] <= np.linalg.norm(others - points[:, None], axis=-1) + 1e-9).all()


def test_points_on_the_surface_snap_to_themselves(assets, embedding):
    points = template_points(assets, embedding)
    allowed = np.ones(len(assets.faces), dtype=bool)
    faces, weights = snap(points, assets.v_template, assets.faces, allowed)
    found = np.einsum("nk,nkx->nx", weights, assets.v_template[assets.faces[faces]])
    np.testing.assert_allclose(found, points, atol=1e-6)


def test_snapping_keeps_to_the_allowed_faces(assets, embedding):
    allowed = assets.v_template[assets.faces].mean(axis=1)[:, 1] > 0
    faces, _ = snap(template_points(assets, embedding), assets.v_template, assets.faces, allowed)
    assert allowed[faces].all()


def test_the_robust_mean_ignores_a_view_that_strays():
    points = np.zeros((7, 2, 3))
    points[3] = 0.05
    mean, spread = robust_mean(points, np.ones((7, 2)))
    assert np.abs(mean).max() < 1e-4
    assert spread.max() < 0.005


def test_a_polygon_contains_what_is_inside_it():
    star = np.array([[0.0, 0], [4, 0], [4, 4], [2, 1], [0, 4]])
    points = np.array([[1.0, 1], [2, 3], [2, 0.5], [3.5, 2], [5, 1], [-1, 0.5]])
    np.testing.assert_array_equal(points_in_polygon(points, star), [1, 0, 1, 1, 0, 0])


def test_the_far_side_of_the_eyeballs_and_the_back_of_the_head_are_not_outer_faces(assets):
    outer = outer_faces(assets)
    centre = assets.v_template[assets.faces].mean(axis=1)
    assert outer[(centre[:, 2] > 0.085) & (np.abs(centre[:, 0]) < 0.015)].all()
    assert not outer[centre[:, 2] < -0.07].any()


def test_an_embedding_is_found_again_by_a_detector_that_knows_where_it_is(assets):
    """The detector answers with the pixels that show the true places: the views' own geometry is the oracle."""
    truth = template_points(assets, random_embedding(assets, seed=3))
    views = list(painted_views(assets, default_poses(8, 0), Paint()))
    shown = []
    for view in views:
        position = view.raster.interpolate(assets.v_template, assets.faces, background=9.0)
        _, nearest = cKDTree(position.reshape(-1, 3)).query(truth)
        row, column = np.unravel_index(nearest, view.raster.face.shape)
        shown.append(np.stack([column + 0.5, row + 0.5], axis=1))
    answers = iter(shown)
    found = compute_embedding(assets, lambda image: next(answers), views=views)
    error = np.linalg.norm(template_points(assets, found) - truth, axis=1)
    assert np.median(error) < 0.001
    assert np.percentile(error, 90) < 0.004


def test_a_head_on_which_no_face_is_found_is_refused(assets):
    views = painted_views(assets, default_poses(2, 0), Paint())
    with pytest.raises(AssetError, match="found a face in 0 of its renderings"):
        compute_embedding(assets, lambda image: None, views=views)


def test_views_are_the_same_for_the_same_seed_and_show_the_head_in_the_middle(assets):
    first, second = (next(painted_views(assets, default_poses(2, 4), Paint())) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    _, u = np.nonzero(first.raster.covered)
    size = first.raster.face.shape[0]
    assert abs(u.mean() / size - 0.5) < 0.1
    assert 0.2 < first.raster.covered.mean() < 0.8
