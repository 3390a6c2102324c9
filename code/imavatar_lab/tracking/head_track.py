"""A head in every frame of a recording as a camera sees it: tracked, or true."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from imavatar.anatomy import MM_PER_METRE, MM_PER_UNIT, N_EXPRESSION, N_SHAPE_COLUMNS, Joint, pose_slice
from imavatar.data.subject import JSON_NAME, Recording, frame_number, load_recording
from imavatar.errors import DataError
from imavatar.evaluation.surface_distance import TrueMeshes
from imavatar.head.assets import HeadAssets
from imavatar.head.face_skin import face_skin
from imavatar.head.flame import Flame
from imavatar.head.landmarks import LandmarkEmbedding, pupil_weights
from imavatar.types import HeadParameters

STILL = 0.2
"""Millimetres that expressions move a vertex of the skull at most, at one standard deviation of all coefficients."""
FOLLOWS = 0.95
"""Skinning weight from which on a vertex belongs to a joint."""


@dataclass(frozen=True)
class HeadTrack:
    """Vertices in camera space (x right, y up, looking along -z), millimetres; the jaw's angle in radians.

    `intrinsics` are fx, fy, cx, cy in units of the image size, fx negative (docs/data_format.md, section 4).
    """

    names: tuple[str, ...]
    time: Int[np.ndarray, " n"]
    vertices: Float[np.ndarray, "n v 3"]
    jaw: Float[np.ndarray, " n"]
    intrinsics: Float[np.ndarray, " 4"]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def focal(self) -> float:
        """Focal length in image widths."""
        return float(-self.intrinsics[0])

    def rows(self, names: Sequence[str]) -> "HeadTrack":
        """The frames of these names, in their order."""
        return self.at([self.names.index(name) for name in names])

    def at(self, index: Sequence[int]) -> "HeadTrack":
        """Some of the frames, by their places."""
        index = list(index)
        names = tuple(self.names[k] for k in index)
        return HeadTrack(names, self.time[index], self.vertices[index], self.jaw[index], self.intrinsics)

    def in_image(self, points: Float[np.ndarray, "n k 3"]) -> Float[np.ndarray, "n k 2"]:
        """Where points of camera space are seen, in image widths and heights; pixels' centres are at integers."""
        fx, fy, cx, cy = self.intrinsics
        x, y, z = np.moveaxis(points, -1, 0)
        return np.stack([cx + fx * x / z, cy + fy * y / z], axis=-1)


@dataclass(frozen=True)
class HeadRegions:
    """Which vertices of the head's mesh are what; `pupils` holds vertices and their weights. Right eye first."""

    face: Int[np.ndarray, " a"]
    skull: Int[np.ndarray, " b"]
    eyeballs: tuple[Int[np.ndarray, " c"], Int[np.ndarray, " d"]]
    pupils: tuple[Int[np.ndarray, "2 p"], Float[np.ndarray, "2 p"]]
    head_faces: Int[np.ndarray, "f 3"]

    @classmethod
    def of(cls, assets: HeadAssets, embedding: LandmarkEmbedding) -> "HeadRegions":
        """Those of a head model: the face is the skin inside the oval of landmarks, the skull what nothing but the
        neck moves, the head what moves with the neck.
        """
        weights, template = assets.weights, assets.v_template.astype(np.float64)
        skin = np.zeros(len(template), bool)
        skin[assets.part_faces("skin") if assets.part_names else assets.faces] = True
        skin[assets.mouth_vertices()] = False
        directions = assets.shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + N_EXPRESSION]
        moved = MM_PER_METRE * np.sqrt(np.square(directions).sum(axis=(1, 2)))
        with_head = weights[:, [Joint.NECK, Joint.JAW, Joint.LEFT_EYE, Joint.RIGHT_EYE]].sum(axis=1) > FOLLOWS
        return cls(
            face=face_skin(assets, embedding),
            skull=np.flatnonzero(skin & (weights[:, Joint.NECK] > FOLLOWS) & (moved < STILL)),
            eyeballs=tuple(np.flatnonzero(weights[:, eye] > FOLLOWS) for eye in (Joint.RIGHT_EYE, Joint.LEFT_EYE)),
            pupils=pupil_weights(assets),
            head_faces=assets.faces[with_head[assets.faces].all(axis=1)],
        )


def tracked_head(folder: Path, json_name: str, assets: HeadAssets) -> HeadTrack:
    """What a recording's file says, by the head model.

    Args:
        folder: of the recording, `<subject>/<subject>/<sub_dir>`.

    Raises:
        DataError: the file cannot be read.
    """
    recording = load_recording(folder, json_name)
    flame = Flame(assets, torch.as_tensor(recording.shape_params, dtype=torch.float32))
    return _head_track(recording, _vertices(flame, recording))


def true_head(folder: Path, assets: HeadAssets) -> HeadTrack:
    """The truth of a synthetic recording: its meshes, or its parameters where it is the head model itself.

    Raises:
        DataError: the files cannot be read, or do not belong to this head model.
    """
    recording = load_recording(folder)
    meshes = TrueMeshes.find(folder)
    if meshes is None:
        return tracked_head(folder, JSON_NAME, assets)
    vertices = meshes.vertices.double().numpy()
    expected = (len(recording.frames), len(assets.v_template), 3)
    if vertices.shape != expected:
        raise DataError(f"{meshes.path}: vertices has the shape {vertices.shape}, expected {expected} of this head")
    return _head_track(recording, vertices)


@torch.no_grad()
def _vertices(flame: Flame, recording: Recording) -> Float[np.ndarray, "n v 3"]:
    """Posed vertices in world space, model units."""
    expression = np.stack([frame.expression[: flame.n_expression] for frame in recording.frames])
    pose = np.stack([frame.pose for frame in recording.frames])
    found = [
        flame.vertices(HeadParameters(torch.tensor(e, dtype=torch.float32), torch.tensor(p, dtype=torch.float32)))
        for e, p in zip(expression[:, None], pose[:, None], strict=True)
    ]
    return torch.cat(found).double().numpy()


def _head_track(recording: Recording, world: Float[np.ndarray, "n v 3"]) -> HeadTrack:
    cameras = np.stack([frame.world_mat for frame in recording.frames])
    seen = np.einsum("nij,nvj->nvi", cameras[..., :3], world) + cameras[:, None, :, 3]
    jaw = pose_slice(Joint.JAW).start
    return HeadTrack(
        names=tuple(frame.name for frame in recording.frames),
        time=np.array([frame_number(frame, index) for index, frame in enumerate(recording.frames)]),
        vertices=MM_PER_UNIT * seen,
        jaw=np.array([frame.pose[jaw] for frame in recording.frames]),
        intrinsics=np.asarray(recording.intrinsics),
    )


def joined(parts: Sequence[HeadTrack]) -> HeadTrack:
    """Recordings of one video, one after the other: frames' numbers go on, and there is one camera."""
    names = tuple(name for part in parts for name in part.names)
    time, vertices, jaw = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("time", "vertices", "jaw")
    )
    return HeadTrack(names, time, vertices, jaw, parts[0].intrinsics)
