"""Regions of the face by landmarks whose places are known."""

import numpy as np

from imavatar.head.face_regions import FACE_REGIONS, REACH, face_regions
from imavatar.head.mesh_points import FACE_OVAL, LEFT_EYE, LIPS_OUTER
from oracles_ellipsoid_head import ellipsoid_head, random_embedding


def embedding_at(assets, places: dict[tuple[int, ...], int]):
    """Random landmarks, but an oval about the whole front, and groups of landmarks at one vertex each."""
    embedding = random_embedding(assets)
    corners = assets.v_template[assets.faces]
    middles = corners.mean(axis=1)
    around = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    oval = np.stack([0.07 * np.sin(around), 0.1 * np.cos(around)], axis=1)
    for row, point in zip(FACE_OVAL, oval, strict=True):
        distance = np.linalg.norm(middles[:, :2] - point, axis=1) + (middles[:, 2] < 0)
        embedding.faces[row] = distance.argmin()
    for rows, vertex in places.items():
        face = int(np.flatnonzero((assets.faces == vertex).any(axis=1))[0])
        for row in rows:
            embedding.faces[row] = face
            embedding.barycentric[row] = assets.faces[face] == vertex
    return embedding


def test_every_vertex_of_the_skin_is_in_one_region_and_eyeballs_are_in_none():
    assets = ellipsoid_head()
    regions = face_regions(assets, random_embedding(assets))
    assert tuple(regions) == FACE_REGIONS
    everything = np.concatenate(list(regions.values()))
    assert len(everything) == len(np.unique(everything)) > 0
    assert not (assets.weights[everything, 3:].sum(axis=1) > 0.5).any()


def test_a_region_is_what_lies_close_to_its_landmarks():
    assets = ellipsoid_head()
    front = np.flatnonzero((assets.v_template[:, 2] > 0.05) & (assets.weights[:, 3:].sum(axis=1) == 0))
    places = ([0, -0.05], [0.03, 0.02])
    lip, lid = (front[np.linalg.norm(assets.v_template[front, :2] - p, axis=1).argmin()] for p in places)
    regions = face_regions(assets, embedding_at(assets, {LIPS_OUTER: lip, LEFT_EYE: lid}))
    assert lip in regions["lips"] and lid in regions["lids"]
    rest = assets.v_template[regions["face"]]
    assert np.linalg.norm(rest - assets.v_template[lip], axis=1).min() > REACH["lips"]
    assert np.linalg.norm(rest - assets.v_template[lid], axis=1).min() > REACH["lids"]
