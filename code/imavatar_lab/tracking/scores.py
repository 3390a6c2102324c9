"""A tracked head against the true one: what the numbers of the table mean."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from imavatar.evaluation.curves import compare_apertures, shake
from imavatar.head.apertures import apertures
from imavatar.head.landmarks import LandmarkEmbedding
from imavatar.numerics.mesh_bvh import distance_to_mesh
from imavatar.numerics.rasterize import rasterize
from imavatar_lab.tracking.alignment import angles, best_similarity, mean_rotation, rotations_between
from imavatar_lab.tracking.head_track import HeadRegions, HeadTrack

STEADY = 0.3
"""Millimetres of standard deviation below which a curve has nothing that could be correlated with."""


@dataclass(frozen=True)
class TrackingScores:
    """Of one recording: `values` by name (None: the recording cannot tell), and curves over its frames for the plot.

    - focal_ratio: tracked over true focal length
    - rotation: of the head, degrees, without the mean rotation between both
    - surface: from the true face's vertices to the tracked surface, mm, after one similarity of the whole recording;
      surface_posed: the same after a rigid motion of each frame besides
    - lid_error, lip_error: of the apertures, mm; lid_correlation, lip_correlation: of their curves with the truth's
    - blinks_true, blinks_found, blinks_invented: counts over both eyes
    - gaze: of the eyes' directions in camera space, degrees
    - jaw: of its angle, degrees
    - silhouette: intersection over union of the bald heads
    - jitter: root mean square of the second differences of the face's vertices over frames, mm, less the truth's
    """

    values: dict[str, float | None]
    tracked: Float[np.ndarray, "n 3"]
    true: Float[np.ndarray, "n 3"]


def score_track(
    tracked: HeadTrack,
    true: HeadTrack,
    faces: np.ndarray,
    regions: HeadRegions,
    embedding: LandmarkEmbedding,
    size: int,
) -> TrackingScores:
    """Scores of a recording whose frames are in the same order in both.

    Args:
        faces: [f, 3] of the head's mesh.
        size: side of the images, pixels: the silhouettes are drawn so large.
    """
    turn = rotations_between(tracked.vertices[:, regions.skull], true.vertices[:, regions.skull])
    curves = [_apertures(track, faces, embedding) for track in (tracked, true)]
    values: dict[str, float | None] = {
        "focal_ratio": tracked.focal / true.focal,
        "rotation": float(angles(turn @ mean_rotation(turn).T).mean()),
        **_surface(tracked, true, faces, regions),
        **compare_apertures(*curves, true.time, steady=STEADY),
        "gaze": _gaze(tracked, true, regions),
        "jaw": float(np.degrees(np.abs(tracked.jaw - true.jaw)).mean()),
        "silhouette": _silhouette(tracked, true, regions, size),
        "jitter": shake(tracked.vertices[:, regions.face], tracked.time)
        - shake(true.vertices[:, regions.face], true.time),
    }
    return TrackingScores(values, *curves)


def _surface(tracked: HeadTrack, true: HeadTrack, faces: np.ndarray, regions: HeadRegions) -> dict[str, float]:
    """Distances in millimetres of the true head: the tracked one is brought to its size, too."""
    own, goal = tracked.vertices[:, regions.face], true.vertices[:, regions.face]
    together = best_similarity(own.reshape(-1, 3), goal.reshape(-1, 3))
    found: dict[str, list[float]] = {"surface": [], "surface_posed": []}
    for frame in range(len(tracked)):
        vertices = together(tracked.vertices[frame])
        posed = best_similarity(vertices[regions.face], goal[frame], scaled=False)
        found["surface"].append(_distance(goal[frame], vertices, faces))
        found["surface_posed"].append(_distance(goal[frame], posed(vertices), faces))
    return {name: float(np.mean(distances)) for name, distances in found.items()}


def _distance(points: Float[np.ndarray, "m 3"], vertices: Float[np.ndarray, "v 3"], faces: np.ndarray) -> float:
    """Mean distance of points from a surface."""
    surface = torch.as_tensor(vertices, dtype=torch.float32), torch.as_tensor(faces)
    return float(distance_to_mesh(*surface, torch.as_tensor(points, dtype=torch.float32)).mean())


def _apertures(track: HeadTrack, faces: np.ndarray, embedding: LandmarkEmbedding) -> Float[np.ndarray, "n 3"]:
    points = embedding.points(torch.as_tensor(track.vertices), torch.as_tensor(faces))
    return apertures(points.numpy())


def _gaze(tracked: HeadTrack, true: HeadTrack, regions: HeadRegions) -> float:
    """Mean angle in degrees between the directions in which the eyes look."""
    cosine = (gaze_directions(tracked, regions) * gaze_directions(true, regions)).sum(axis=-1)
    return float(np.degrees(np.arccos(cosine.clip(-1, 1))).mean())


def gaze_directions(track: HeadTrack, regions: HeadRegions) -> Float[np.ndarray, "n 2 3"]:
    """Unit vectors from the middle of the right and left eyeball to its pupil, camera space."""
    index, weight = regions.pupils
    pupils = np.einsum("ep,nepx->nex", weight, track.vertices[:, index])
    middles = np.stack([track.vertices[:, eyeball].mean(axis=1) for eyeball in regions.eyeballs], axis=1)
    direction = pupils - middles
    return direction / np.linalg.norm(direction, axis=-1, keepdims=True)


def _silhouette(tracked: HeadTrack, true: HeadTrack, regions: HeadRegions, size: int) -> float:
    """Mean intersection over union of what the heads cover in the image."""
    covered = [_covered(track, regions, size) for track in (tracked, true)]
    union = (covered[0] | covered[1]).sum(axis=(1, 2))
    return float(((covered[0] & covered[1]).sum(axis=(1, 2)) / np.maximum(union, 1)).mean())


def _covered(track: HeadTrack, regions: HeadRegions, size: int) -> Bool[np.ndarray, "n s s"]:
    frames = zip(size * track.in_image(track.vertices), -track.vertices[..., 2], strict=True)
    return np.stack([rasterize(p, depth, regions.head_faces, (size, size)).covered for p, depth in frames])


def _jitter(track: HeadTrack, regions: HeadRegions) -> float:
    return shake(track.vertices[:, regions.face], track.time)
