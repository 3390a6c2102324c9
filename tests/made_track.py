"""A made-up track in which nothing is missing, frame by frame."""

import numpy as np

from imavatar.preprocessing.track_curves import TrackCurves

N = 400


def complete_track() -> TrackCurves:
    """Turns to all sides, comes near, blinks four times, opens and closes the mouth, smiles, puckers, looks around."""
    time = np.arange(N)
    phase = 2 * np.pi * time / N
    lids = np.full(N, 0.06)
    for start in (40, 120, 200, 280):
        lids[start : start + 4] = 0.005
    lips = 0.1 * (1 - np.cos(4 * phase)) / 1.5
    rotation = np.stack([30 * np.sin(phase), 3 + 15 * np.sin(2 * phase), 0 * phase], axis=1)
    gaze = np.stack([20 * np.sin(3 * phase), 10 * np.cos(3 * phase)], axis=1)
    apertures = np.stack([lids, lids, lips], axis=1)
    width = np.where(np.abs(rotation[:, 0]) < 19, 0.55 * (1 + 0.25 * np.sin(20 * phase)), 0.55)
    return TrackCurves(
        video=np.zeros(N, np.int64),
        time=time,
        valid=np.ones(N, bool),
        detected=apertures,
        fitted=apertures + 0.001,
        rotation=rotation,
        position=np.stack([0 * phase, 0 * phase, 60 + 10 * np.sin(phase)], axis=1),
        gaze=gaze[:, None].repeat(2, axis=1),
        mouth_width=width,
        brow_height=0.3 * (1 + 0.2 * np.sin(30 * phase)),
        error=0.005 + 0.001 * np.sin(phase),
        face_height=np.full(N, 300.0),
    )
