"""Random but smooth motion of a head: which face units are active in each frame, and the pose of the joints."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from imavatar.anatomy import POSE_SIZE, Joint, pose_slice

MAX_UNIT = 0.6
"""Largest amplitude of a face unit."""

MAX_JAW = 0.22
MAX_YAW, MAX_PITCH, MAX_ROLL = 0.40, 0.14, 0.10
MAX_GLOBAL = 0.03
"""Largest angles in radians; yaw, pitch and roll are the neck's."""

GAZE_COUNTER_ROTATION = 0.5
"""The share of the head's rotation that the eyes make up for, so that they look at the camera's side."""

GESTURES = (
    ("mouthSmile", 1.0),
    ("browInnerUp", 0.8),
    ("browOuterUp", 0.8),
    ("browDown", 0.8),
    ("eyeBlink", 1.0),
    ("eyeSquint", 0.5),
    ("eyeWide", 0.5),
    ("cheekSquint", 0.5),
    ("cheekPuff", 0.4),
    ("noseSneer", 0.5),
    ("mouthFrown", 0.6),
    ("mouthPucker", 0.8),
    ("mouthFunnel", 0.7),
    ("mouthStretch", 0.5),
    ("mouthUpperUp", 0.6),
    ("mouthLowerDown", 0.6),
    ("mouthDimple", 0.4),
    ("mouthShrugLower", 0.3),
    ("mouthRollLower", 0.3),
    ("mouthLeft", 0.4),
    ("mouthRight", 0.4),
)
"""Face units without their side, and how often they are active relative to the most frequent."""

OWN_UNITS, OWN_FREQUENCY = "mh_", 0.12
"""MakeHuman's own units, where a subject has them, and how often they are active."""

EYELID_GESTURES = ("eyeBlink",)
"""Gestures that may exceed MAX_UNIT: a lid that closes by 0.6 looks drowsy rather than blinking."""


@dataclass(frozen=True)
class Motion:
    """Amplitudes of the named face units [n, u] and poses [n, 15] (axis-angle, radians) of n frames."""

    unit_names: tuple[str, ...]
    amplitudes: Float[np.ndarray, "n u"]
    pose: Float[np.ndarray, "n 15"]


def random_motion(
    unit_names: tuple[str, ...], n_frames: int, generator: np.random.Generator, strength: float = 1.0
) -> Motion:
    """A sequence of gestures while the head turns and the jaw opens and closes.

    Units that are of no gesture stay at rest. The head turns at the neck, so the shoulders hardly move.

    Args:
        strength: multiplies the largest amplitudes and angles; lids still close no further than they can.
    """
    amplitudes = np.zeros((n_frames, len(unit_names)))
    own = {without_side(name) for name in unit_names if name.startswith(OWN_UNITS)}
    for gesture, frequency in (*GESTURES, *((name, OWN_FREQUENCY) for name in sorted(own))):
        members = [i for i, name in enumerate(unit_names) if without_side(name) == gesture]
        activity = strength * _pulses(n_frames, frequency, generator)
        if gesture in EYELID_GESTURES:
            activity = np.minimum(activity * 1.5, 0.9)
        # both sides move together, one of them up to a third less
        weakness = generator.uniform(0, 0.33)
        weaker = generator.integers(2)
        for side, member in enumerate(members):
            share = 1 - weakness if len(members) > 1 and side == weaker else 1.0
            amplitudes[:, member] = activity * share
    return Motion(tuple(unit_names), amplitudes, strength * _random_pose(n_frames, generator))


def without_side(name: str) -> str:
    """`mouthSmile` of `mouthSmileLeft`, `mh_eye-slit` of `mh_eye-left-slit`; `mouthLeft` keeps its direction."""
    if name.startswith(OWN_UNITS):
        return name.replace("-left", "").replace("-right", "")
    stem = name.removesuffix("Left").removesuffix("Right")
    return name if stem == "mouth" else stem


def _pulses(n_frames: int, frequency: float, generator: np.random.Generator) -> Float[np.ndarray, " n"]:
    """Raised-cosine pulses of random height, length and time; at most MAX_UNIT."""
    time = np.arange(n_frames)
    activity = np.zeros(n_frames)
    start = generator.uniform(-20, 30 / frequency)
    while start < n_frames:
        length = generator.uniform(8, 18)
        height = generator.uniform(0.25, 1.0) * MAX_UNIT
        phase = np.clip((time - start) / length, 0, 1)
        activity = np.maximum(activity, height * 0.5 * (1 - np.cos(2 * np.pi * phase)))
        start += length * 0.8 + generator.uniform(4, 40) / frequency
    return activity


def _random_pose(n_frames: int, generator: np.random.Generator) -> Float[np.ndarray, "n 15"]:
    """Poses of n frames: neck, a little of the whole body, the jaw, and eyes that stay on their target."""

    def wander(limit: float, quickness: float = 1.0) -> Float[np.ndarray, " n"]:
        return limit * _smooth_noise(n_frames, quickness, generator)

    pose = np.zeros((n_frames, POSE_SIZE))
    neck = np.stack([wander(limit) for limit in (MAX_PITCH, MAX_YAW, MAX_ROLL)], axis=-1)
    pose[:, pose_slice(Joint.NECK)] = neck
    pose[:, pose_slice(Joint.GLOBAL)] = np.stack([wander(MAX_GLOBAL) for _ in range(3)], axis=-1)
    opening = np.clip(0.4 + 0.75 * _smooth_noise(n_frames, 1.8, generator), 0, 1)
    pose[:, pose_slice(Joint.JAW)] = np.stack([MAX_JAW * opening, wander(0.03), np.zeros(n_frames)], axis=-1)
    gaze = np.stack([wander(0.10), wander(0.15)], axis=-1) - GAZE_COUNTER_ROTATION * neck[:, :2]
    for eye in (Joint.LEFT_EYE, Joint.RIGHT_EYE):
        pose[:, pose_slice(eye)][:, :2] = gaze
    return pose


def _smooth_noise(n_frames: int, quickness: float, generator: np.random.Generator) -> Float[np.ndarray, " n"]:
    """A sum of slow sinusoids in [-1, 1] that gets near both ends.

    `quickness` 1 means periods of 12 to 60 frames.
    """
    frequency = quickness * generator.uniform(1 / 60, 1 / 12, size=4)
    weight = generator.uniform(0.3, 1.0, size=4)
    phase = generator.uniform(0, 2 * np.pi, size=4)
    time = np.arange(n_frames)[:, None]
    total = (weight * np.sin(2 * np.pi * frequency * time + phase)).sum(axis=-1) / weight.sum()
    return np.sin(np.pi / 2 * np.clip(1.6 * total, -1, 1))
