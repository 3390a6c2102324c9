"""How a landmark detector errs where heads turn, eyes look away and lids close: measured on a head model.

Detectors are networks that have learned what faces usually look like. Of a head that nods, of eyes that look down and
of lids that close they see less than there is, in every picture of every person by about the same share. On pictures of
a head model the truth is known.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imavatar.anatomy import N_EXPRESSION, N_SHAPE
from imavatar.errors import AssetError
from imavatar.files.atomic import replacing
from imavatar.head.apertures import APERTURES, apertures
from imavatar.head.assets import HeadAssets
from imavatar.head.landmark_casting import Detector
from imavatar.head.landmark_views import Pose, painted_views, vertices_in_view
from imavatar.head.landmarks import N_LANDMARKS, LandmarkEmbedding, paint_from, pupil_weights
from imavatar.head.lid_units import lid_units
from imavatar.head.npz_arrays import read_npz_arrays

N_POINTS = N_LANDMARKS + 2
N_VIEWS, MIN_VIEWS = 160, 40
MAX_YAW, MAX_PITCH, MAX_JAW = 0.45, 0.3, 0.2
MAX_GAZE_UP, MAX_GAZE_ASIDE = 0.2, 0.4
"""Radians."""
SHAPE_SPREAD, EXPRESSION_SPREAD = 0.8, 0.4
OPEN_SHARE = 0.5
"""Of the lids' opening of a resting head: where they are more closed, a pupil's detection is a guess."""
GAIN_RANGE = (0.3, 1.5)
"""What is outside of it was not measured but hit upon."""


@dataclass(frozen=True)
class DetectorBias:
    """Where a detector sees a point, besides where it is; shares of the face's height in the picture (x right, y down).

    `turn` is for each radian that the head is turned down (pitch) and to its left (yaw), for the landmarks and the
    right and left pupil; `gaze` is what each radian of an eye's rotation about x and y adds for its pupil. `lids`
    is the detected over the true change of how far lids are open. (Of lips no such share is kept: it differs from
    person to person by more than it differs from 1.)
    """

    turn: Float[np.ndarray, "470 2 2"]
    gaze: Float[np.ndarray, "2 2 2"]
    lids: Float[np.ndarray, ""]

    @classmethod
    def none(cls) -> "DetectorBias":
        """Of a detector that sees everything where it is."""
        return cls(np.zeros((N_POINTS, 2, 2)), np.zeros((2, 2, 2)), np.ones(()))


def measure_bias(
    assets: HeadAssets, embedding: LandmarkEmbedding, detect: Detector, *, n_views: int = N_VIEWS
) -> DetectorBias:
    """Show pictures of a head model with known poses to a detector.

    Args:
        detect: from an RGB image to 468 landmarks and the right and left pupil in continuous pixels, or None.
        n_views: how many pictures; of differing shapes and expressions, turned and looking in all directions.

    Raises:
        AssetError: a face is found in too few of them.
    """
    poses = measuring_poses(assets, embedding, n_views)
    angles, found, true = [], [], []
    for pose, view in zip(poses, painted_views(assets, poses, paint_from(embedding, assets)), strict=True):
        detected = detect(view.image)
        if detected is not None:
            angles.append((pose.pitch, pose.yaw, *pose.gaze))
            found.append(detected[:N_POINTS])
            true.append(points_in_view(assets, embedding, vertices_in_view(assets, pose)))
    if len(angles) < MIN_VIEWS:
        raise AssetError(
            f"head model {assets.name}: the face detector found a face in {len(angles)} of {n_views} of its "
            f"renderings, at least {MIN_VIEWS} are needed"
        )
    return _from_pictures(np.array(angles), np.stack(found), np.stack(true), _resting_lids(assets, embedding))


def measuring_poses(assets: HeadAssets, embedding: LandmarkEmbedding, n: int) -> list[Pose]:
    """Random ones, one independent of the other in all respects; half of them blink or wink."""
    generator, lids, poses = np.random.default_rng(0), lid_units(assets, embedding), []
    for _ in range(n):
        closed = generator.uniform(0, 1, 2) * generator.integers(0, 2)
        expression = generator.normal(size=N_EXPRESSION) * EXPRESSION_SPREAD + closed @ lids
        pose = Pose(
            yaw=generator.uniform(-MAX_YAW, MAX_YAW),
            pitch=generator.uniform(-MAX_PITCH, MAX_PITCH),
            jaw=generator.uniform(0, MAX_JAW),
            shape=generator.normal(size=N_SHAPE) * SHAPE_SPREAD,
            expression=expression,
            light=generator.uniform(-0.6, 0.6),
            gaze=(
                generator.uniform(-MAX_GAZE_UP, MAX_GAZE_UP),
                generator.uniform(-MAX_GAZE_ASIDE, MAX_GAZE_ASIDE),
            ),
        )
        poses.append(pose)
    return poses


def points_in_view(
    assets: HeadAssets, embedding: LandmarkEmbedding, vertices: Float[np.ndarray, "v 2"]
) -> Float[np.ndarray, "470 2"]:
    """Landmarks and pupils in a picture, from its vertices."""
    landmarks = np.einsum("lk,lkx->lx", embedding.barycentric, vertices[assets.faces[embedding.faces]])
    index, weight = pupil_weights(assets)
    return np.concatenate([landmarks, np.einsum("pk,pkx->px", weight, vertices[index])])


def _resting_lids(assets: HeadAssets, embedding: LandmarkEmbedding) -> float:
    """How far the lids of the resting head are open, in heights of its face."""
    rest = Pose(0.0, 0.0, 0.0, np.zeros(N_SHAPE), np.zeros(N_EXPRESSION), 0.0)
    points = points_in_view(assets, embedding, vertices_in_view(assets, rest))[None, :N_LANDMARKS]
    return float(apertures(points)[0, :2].mean() / np.ptp(points[0, :, 1]))


def _from_pictures(
    angles: Float[np.ndarray, "n 4"],
    found: Float[np.ndarray, "n 470 2"],
    true: Float[np.ndarray, "n 470 2"],
    resting_lids: float,
) -> DetectorBias:
    """By least squares; what all pictures have in common is the embedding's and nobody's bias."""
    height = np.ptp(true[:, :N_LANDMARKS, 1], axis=1)
    error = (found - true) / height[:, None, None]
    open_true, open_found = (apertures(p[:, :N_LANDMARKS]) / height[:, None] for p in (true, found))
    turn = _slopes(angles[:, :2], error).swapaxes(0, 1)
    gaze = np.zeros((2, 2, 2))
    for eye in range(2):
        seen = open_true[:, eye] > OPEN_SHARE * resting_lids
        slopes = _slopes(angles[seen], error[seen, N_LANDMARKS + eye])
        turn[N_LANDMARKS + eye], gaze[eye] = slopes[:2], slopes[2:]
    eyes = [list(APERTURES).index(name) for name in ("right_lids", "left_lids")]
    gain = np.mean([_slopes(open_true[:, eye : eye + 1], open_found[:, eye]) for eye in eyes])
    return DetectorBias(turn, gaze, np.asarray(np.clip(gain, *GAIN_RANGE)))


def _slopes(causes: Float[np.ndarray, "n c"], effects: Float[np.ndarray, "n *e"]) -> Float[np.ndarray, "c *e"]:
    """Least-squares slopes of effects over causes, each effect with a constant of its own."""
    centred = causes - causes.mean(axis=0)
    flat = (effects - effects.mean(axis=0)).reshape(len(effects), -1)
    return np.linalg.lstsq(centred, flat, rcond=None)[0].reshape(causes.shape[1], *effects.shape[1:])


def bias_path(head_path: Path) -> Path:
    """Where the bias of the detector on a head file is kept: beside it, under the name of the detector."""
    return head_path.with_name(f"{head_path.stem}.face_landmarker_bias.npz")


def save_bias(path: Path, bias: DetectorBias) -> None:
    """Write a bias; the file appears complete or not at all.

    Raises:
        AssetError: it cannot be written.
    """
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **vars(bias))
    except OSError as error:
        raise AssetError(f"{path}: cannot be written ({error.strerror}).") from error


def load_bias(path: Path) -> DetectorBias:
    """Read a bias.

    Raises:
        AssetError: the file is missing, damaged, or holds something else.
    """
    hint = "delete it, and it is measured again"
    content = read_npz_arrays(path)
    none = vars(DetectorBias.none())
    for name, expected in none.items():
        value = content.get(name)
        if value is None or value.shape != expected.shape or not np.isfinite(value).all():
            found = "nothing" if value is None else f"numbers of shape {value.shape}, not all finite"
            raise AssetError(f"{path}: {name} has {found}, expected finite ones of shape {expected.shape}; {hint}")
    return DetectorBias(**{name: np.asarray(content[name], np.float64) for name in none})
