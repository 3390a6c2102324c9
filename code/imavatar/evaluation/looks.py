"""What a face in renderings does against what it does in the pictures: lids, lips, gaze, and whose face it is.

Landmarks are detected on both, in the same way, so that most of what the detector gets wrong is wrong in both. Lengths
are in shares of the face's height in the picture, or of the width of an eye.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from imavatar.evaluation.curves import compare_apertures, compare_openings, correlation
from imavatar.evaluation.face_descriptor import similarity
from imavatar.evaluation.number_table import SHARE, Column
from imavatar.head.apertures import LIDS, LIPS, OPEN_ABOVE, OPEN_SHARE, apertures
from imavatar.head.iris_places import iris_places

STEADY = 0.0015
"""Of the face's height: a standard deviation below which a curve has nothing that could be correlated with."""
STEADY_GAZE = 0.015
"""The same of irises, in eyes' widths."""

GAZE = ("gaze_across", "gaze_up")

MEANING = {
    "frames": "pictures with a rendering",
    "faces": "of these, with a face that is found in the picture",
    "faces_drawn": "of these, with one that is found in the rendering too: all that follows is of them",
    "lid_error": "mean difference of the lids' apertures, share of the face's height",
    "lid_correlation": "of the lids' apertures over time, mean of both eyes; null where they hardly move",
    "blinks_true": "of both eyes, in the pictures: lids below 45 % of their opening, until they are above 60 %",
    "blinks_found": "of these, those that the renderings show within two frames",
    "blinks_invented": "blinks of the renderings that the pictures do not have",
    "lip_error": "mean difference of the lips' apertures, share of the face's height",
    "lip_correlation": "of the lips' aperture over time; null where it hardly changes",
    "openings_true": "of the mouth, in the pictures: lips apart by more than 4 % of the face's height, until below 2 %",
    "openings_found": "of these, those that the renderings show within two frames",
    "openings_invented": "openings of the renderings that the pictures do not have",
    "gaze_across_error": "mean difference of the irises' places between the corners of the eyes, in eyes' widths",
    "gaze_across_correlation": "of the same over time; null where the eyes hardly move",
    "gaze_up_error": "as gaze_across_error, square to the line between the corners",
    "gaze_up_correlation": "of the same over time; null where the eyes hardly move",
    "identity": "mean of 1 - (d / 0.8)^2, d being identity_distance: 1 for the same picture, about 0 for other people",
    "identity_lowest": "the same of the frame where it is lowest",
    "identity_distance": "mean distance of the descriptors of both faces by dlib's network, which takes faces that are "
    "less than 0.6 apart for the same person; not comparable with ArcFace's similarities",
}

COLUMNS = {
    "frames": Column("frames", digits=0, summed=True),
    "faces": Column("with a face", digits=0, summed=True),
    "faces_drawn": Column("and one in the rendering", digits=0, summed=True),
    "lid_error": Column("lids' aperture, % of the face", SHARE),
    "lid_correlation": Column("the same, correlation", digits=3),
    "blinks_true": Column("blinks, both eyes", digits=0, summed=True),
    "blinks_found": Column("reproduced", digits=0, summed=True),
    "blinks_invented": Column("invented", digits=0, summed=True),
    "lip_error": Column("lips' aperture, % of the face", SHARE),
    "lip_correlation": Column("the same, correlation", digits=3),
    "openings_true": Column("mouth openings", digits=0, summed=True),
    "openings_found": Column("reproduced", digits=0, summed=True),
    "openings_invented": Column("invented", digits=0, summed=True),
    "gaze_across_error": Column("gaze across, % of the eye", SHARE, 1),
    "gaze_across_correlation": Column("the same, correlation", digits=3),
    "gaze_up_error": Column("gaze up, % of the eye", SHARE, 1),
    "gaze_up_correlation": Column("the same, correlation", digits=3),
    "identity": Column("identity, 1 is the same picture", digits=3),
    "identity_lowest": Column("lowest of a frame", digits=3),
    "identity_distance": Column("distance, below 0.6 is the same person", digits=3),
}
"""How the numbers are shown."""


@dataclass(frozen=True)
class FacePoints:
    """Landmarks of a face and the centres of its right and left iris, pixels (x, y), y down."""

    points: Float[np.ndarray, "468 2"]
    irises: Float[np.ndarray, "2 2"]


@dataclass(frozen=True)
class Looks:
    """A comparison of renderings with pictures.

    Attributes:
        values: by the names of MEANING; None where a number is not defined.
        time: numbers of the frames that have a face in both.
        drawn: of these frames the apertures in the renderings, columns as in `imavatar.head.apertures`, in shares of
            the face's height.
        pictured: the same in the pictures.
        gaze_drawn: the irises' places, mean of both eyes, across and up, in eyes' widths; not a number where lids are
            closed in either.
        gaze_pictured: the same in the pictures.
        distance: of the descriptors of both faces; not a number where there is none.
    """

    values: dict[str, float | None]
    time: Int[np.ndarray, " n"]
    drawn: Float[np.ndarray, "n 3"]
    pictured: Float[np.ndarray, "n 3"]
    gaze_drawn: Float[np.ndarray, "n 2"]
    gaze_pictured: Float[np.ndarray, "n 2"]
    distance: Float[np.ndarray, " n"]


def compare_looks(
    drawn: Sequence[FacePoints | None],
    pictured: Sequence[FacePoints | None],
    time: Int[np.ndarray, " n"],
    distance: Sequence[float | None],
) -> Looks:
    """Compare faces found in renderings with those found in the pictures of the same frames.

    Args:
        drawn: of each frame the face in its rendering, None where none is found.
        pictured: the same of its picture.
        time: the frames' numbers, ascending within a recording; a frame that is missing ends a blink.
        distance: of the descriptors of both faces, None where it is not known.
    """
    rows = [k for k, (a, b) in enumerate(zip(drawn, pictured, strict=True)) if a is not None and b is not None]
    counts: dict[str, float | None] = {
        "frames": float(len(time)),
        "faces": float(sum(face is not None for face in pictured)),
        "faces_drawn": float(len(rows)),
    }
    time, apart = time[rows], np.array([np.nan if distance[k] is None else distance[k] for k in rows], float)
    if not rows:
        values = counts | dict.fromkeys(name for name in MEANING if name not in counts)
        return Looks(values, time, *(np.zeros((0, n)) for n in (3, 3, 2, 2)), apart)
    (points, irises), (true_points, true_irises) = (
        (np.stack([faces[k].points for k in rows]), np.stack([faces[k].irises for k in rows]))
        for faces in (drawn, pictured)
    )
    height = np.ptp(true_points[..., 1], axis=1)[:, None]
    curves = [apertures(p) / height for p in (points, true_points)]
    seen = _open(curves[0]) & _open(curves[1])
    gaze = [
        np.where(seen[:, None], iris_places(p, i).mean(axis=1), np.nan)
        for p, i in ((points, irises), (true_points, true_irises))
    ]
    values = {
        **counts,
        **compare_apertures(*curves, time, steady=STEADY),
        **compare_openings(curves[0][:, LIPS], curves[1][:, LIPS], time),
        **_compare_gaze(gaze[0][seen], gaze[1][seen]),
        **_of_identity(apart),
    }
    return Looks({name: values[name] for name in MEANING}, time, *curves, *gaze, apart)


def _open(curves: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
    """Frames in which both eyes are open, so that irises are seen."""
    lids = curves[:, LIDS]
    return (lids > OPEN_ABOVE * np.percentile(lids, OPEN_SHARE, axis=0)).all(axis=1)


def _compare_gaze(drawn: Float[np.ndarray, "m 2"], pictured: Float[np.ndarray, "m 2"]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for k, name in enumerate(GAZE):
        found[f"{name}_error"] = float(np.abs(drawn[:, k] - pictured[:, k]).mean()) if len(drawn) else None
        found[f"{name}_correlation"] = correlation(drawn[:, k], pictured[:, k], STEADY_GAZE) if len(drawn) else None
    return found


def _of_identity(distance: Float[np.ndarray, " n"]) -> dict[str, float | None]:
    known = distance[np.isfinite(distance)]
    if not len(known):
        return dict.fromkeys(("identity", "identity_lowest", "identity_distance"))
    similar = [similarity(value) for value in known.tolist()]
    return {
        "identity": float(np.mean(similar)),
        "identity_lowest": min(similar),
        "identity_distance": float(known.mean()),
    }
