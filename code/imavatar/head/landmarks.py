"""Landmarks on a head mesh: 468 points of the face, the 68 iBUG points among them, and the pupils."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.anatomy import Joint
from imavatar.errors import AssetError
from imavatar.files.atomic import replacing
from imavatar.head.assets import HeadAssets
from imavatar.head.landmark_casting import Detector, cast_landmarks
from imavatar.head.landmark_views import HeadView, Paint, default_poses, painted_views
from imavatar.head.mesh_points import IBUG_FROM_MESH, LEFT_BROW, LIPS_OUTER, RIGHT_BROW
from imavatar.head.npz_arrays import read_npz_arrays
from imavatar.paths import command

N_LANDMARKS = 468
N_CLAY_VIEWS, N_PAINTED_VIEWS = 8, 24
PUPIL_DEPTH = 0.0005
"""Eyeball vertices within this distance (metres) of the foremost one make up the pupil point."""


@dataclass(frozen=True)
class LandmarkEmbedding:
    """Where each of the 468 landmarks lies on a mesh: a face and barycentric coordinates on it.

    `spread` is the standard deviation in metres of the views that a landmark was averaged over; 0 where unknown.
    """

    faces: Int[np.ndarray, " 468"]
    barycentric: Float[np.ndarray, "468 3"]
    spread: Float[np.ndarray, " 468"]

    def points(self, vertices: Float[Tensor, "b v 3"], mesh_faces: Int[Tensor, "f 3"]) -> Float[Tensor, "b 468 3"]:
        """The landmarks of posed meshes, in the unit and frame of the vertices."""
        corner_index = mesh_faces[torch.as_tensor(self.faces, device=mesh_faces.device)]
        weights = torch.as_tensor(self.barycentric).to(vertices)
        return torch.einsum("lk,blkc->blc", weights, vertices[:, corner_index])


def embedding_path(head_path: Path) -> Path:
    """Where the embedding of a head file is kept: beside it, under the name of the model that found the landmarks."""
    return head_path.with_name(f"{head_path.stem}.face_landmarker.npz")


def save_embedding(path: Path, embedding: LandmarkEmbedding, assets: HeadAssets) -> None:
    """Write an embedding; the file appears complete or not at all."""
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **vars(embedding), n_mesh_faces=len(assets.faces))
    except OSError as error:
        raise AssetError(f"{path}: cannot be written ({error.strerror}).") from error


def load_embedding(path: Path, assets: HeadAssets | None = None) -> LandmarkEmbedding:
    """Read an embedding; with `assets` it is checked that it belongs to that head."""
    hint = f"build it with: {command('build_head')}"
    if not path.is_file():
        raise AssetError(f"{path}: the landmarks of the head model are missing; {hint}")
    try:
        content = read_npz_arrays(path)
    except AssetError as error:
        raise AssetError(f"{path}: is not a readable .npz file ({error}); {hint}") from error
    _check_embedding(path, content, assets, hint)
    return LandmarkEmbedding(
        content["faces"].astype(np.int64),
        content["barycentric"].astype(np.float32),
        content["spread"].astype(np.float32),
    )


def _check_embedding(path: Path, content: dict, assets: HeadAssets | None, hint: str) -> None:
    """Raise where the file's arrays are missing, misshapen, out of range, or of another head."""
    shapes = {"faces": (N_LANDMARKS,), "barycentric": (N_LANDMARKS, 3), "spread": (N_LANDMARKS,), "n_mesh_faces": ()}
    for name, shape in shapes.items():
        found = content[name].shape if name in content else "nothing"
        if found != shape:
            raise AssetError(f"{path}: {name} has shape {found}, expected {shape}; {hint}")
    n_faces = int(content["n_mesh_faces"])
    if assets is not None and n_faces != len(assets.faces):
        raise AssetError(
            f"{path}: belongs to a head with {n_faces} faces, but {assets.name} has {len(assets.faces)}; {hint}"
        )
    faces, weights = content["faces"], content["barycentric"]
    if faces.min() < 0 or faces.max() >= n_faces:
        raise AssetError(
            f"{path}: faces holds indices {faces.min()} to {faces.max()}, expected 0 to {n_faces - 1}; {hint}"
        )
    if not np.allclose(weights.sum(axis=1), 1, atol=1e-3) or weights.min() < -1e-3:
        raise AssetError(f"{path}: barycentric has rows that are negative or do not sum to 1; {hint}")


def pupil_weights(assets: HeadAssets) -> tuple[np.ndarray, np.ndarray]:
    """Vertex indices and weights, each [2, k], of the right and the left pupil (iBUG's order of the eyes).

    The pupil point is the mean of the foremost vertices of an eyeball, which looks along +z in the template.
    Shorter lists are filled up with weight 0.
    """
    groups = []
    for joint in (Joint.RIGHT_EYE, Joint.LEFT_EYE):
        eyeball = np.flatnonzero(assets.weights[:, joint] > 0.9)
        if not len(eyeball):
            raise AssetError(f"head model {assets.name}: no vertex follows the joint {joint.name}")
        z = assets.v_template[eyeball, 2]
        groups.append(eyeball[z > z.max() - PUPIL_DEPTH])
    longest = max(map(len, groups))
    index = np.stack([np.pad(g, (0, longest - len(g)), mode="edge") for g in groups])
    weights = np.stack([(np.arange(longest) < len(g)) / len(g) for g in groups])
    return index, weights.astype(np.float32)


def flame_keypoints(
    vertices: Float[Tensor, "b v 3"], assets: HeadAssets, embedding: LandmarkEmbedding
) -> Float[Tensor, "b 70 3"]:
    """The 68 iBUG landmarks and the right and left pupil of posed meshes."""
    faces = torch.as_tensor(assets.faces, device=vertices.device)
    ibug = embedding.points(vertices, faces)[:, list(IBUG_FROM_MESH)]
    index, weights = map(torch.as_tensor, pupil_weights(assets))
    pupils = torch.einsum("pk,bpkc->bpc", weights.to(vertices), vertices[:, index])
    return torch.cat([ibug, pupils], dim=1)


def compute_embedding(
    assets: HeadAssets, detect: Detector, *, views: Iterable[HeadView] | None = None
) -> LandmarkEmbedding:
    """Find the landmarks of any head model in FLAME's layout by showing pictures of it to a detector.

    Without `views` the head is rendered twice with the built-in rasteriser: first as clay with painted eyes; then
    with lips and brows painted where the detector saw them, on which it works more precisely.

    Args:
        detect: from an RGB image to at least 468 landmarks in continuous pixels, or None where it sees no face.
        views: other pictures of the same head, for instance path-traced ones.
    """
    if views is not None:
        return LandmarkEmbedding(*cast_landmarks(assets, detect, views))
    clay = painted_views(assets, default_poses(N_CLAY_VIEWS, seed=0), Paint())
    first = LandmarkEmbedding(*cast_landmarks(assets, detect, clay))
    painted = painted_views(assets, default_poses(N_PAINTED_VIEWS, seed=1), paint_from(first, assets))
    return LandmarkEmbedding(*cast_landmarks(assets, detect, painted))


def paint_from(embedding: LandmarkEmbedding, assets: HeadAssets) -> Paint:
    """Lips and brows where a first embedding has their outlines."""
    corners = assets.v_template[assets.faces[embedding.faces]]
    points = np.einsum("lk,lkx->lx", embedding.barycentric, corners)
    lips = points[list(LIPS_OUTER)]
    return Paint(
        lips=(lips[:, :2],),
        lips_depth=float(lips[:, 2].min()),
        brows=tuple(points[list(loop), :2] for loop in (RIGHT_BROW, LEFT_BROW)),
    )
