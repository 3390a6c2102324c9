"""The sequences of a benchmark subject: what is trained on, and what tests lie inside and outside of it.

Training, validation and interpolation share one distribution: amplitudes up to MAX_UNIT, the jaw up to MAX_JAW, and
some pairs of units never together. Extrapolation grows beyond in steps, and has those pairs.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from imavatar.anatomy import Joint, pose_slice
from imavatar.synthetic.face_motion import EYELID_GESTURES, MAX_JAW, MAX_UNIT, Motion, random_motion, without_side

TRAIN, TEST, STRONG_MOTION = "train", "test", "harder"
"""Of an open head's recording; the last one's folder has the name that published data have."""
STRENGTH = {TRAIN: 1.0, TEST: 1.0, STRONG_MOTION: 1.6}
"""Of a sequence's motion: 1 is the training's."""

VALIDATION = "validation"
INTERPOLATION, EXTRAPOLATION, VIEWS = "test_interpolation", "test_extrapolation", "test_views"
N_FRAMES = {TRAIN: 300, VALIDATION: 50, INTERPOLATION: 50, EXTRAPOLATION: 100, VIEWS: 40}

SMOOTH, SPEECH, POSED, BEYOND = "smooth", "speech", "posed", "beyond"
SHARES = {SMOOTH: 0.6, SPEECH: 0.25, POSED: 0.15}
"""Parts of a sequence inside the training's distribution, in this order."""

UNSEEN_PAIRS = (
    ("mouthPucker", "browDown"),
    ("mouthSmile", "noseSneer"),
    ("cheekPuff", "eyeSquint"),
    ("mouthFunnel", "browInnerUp"),
)
"""Gestures that are together in no frame but those of extrapolation."""
TOGETHER = 0.1
"""Amplitude from which on a gesture counts as active."""

UNIT_LEVELS = (0.8, 0.93, 1.07, 1.2)
JAW_LEVELS = (0.25, 0.30, 0.35, 0.40)
"""Of extrapolation, bin by bin: the largest amplitude of a unit, and the jaw's angle in radians."""

SYLLABLE = 6
"""Frames, a quarter of a second."""
VISEMES = ("mouthFunnel", "mouthPucker", "mouthStretch", "mouthLowerDown", "mouthUpperUp", "mouthRollLower")
HOLD = 8
"""Frames that a pose is held and changed in."""
VIEW_YAW, VIEW_PITCH = 0.7, 0.2
"""Largest angles of the ring of views, radians."""


@dataclass(frozen=True)
class Sequence:
    """Frames of one kind.

    `part` says how each was made, `level` its bin of extrapolation (-1: none), `view` where its camera is: yaw and
    pitch in radians.
    """

    motion: Motion
    part: tuple[str, ...]
    level: Int[np.ndarray, " n"]
    view: Float[np.ndarray, "n 2"]

    def __len__(self) -> int:
        return len(self.part)

    def rows(self, index: Int[np.ndarray, " k"]) -> "Sequence":
        """Some of the frames."""
        motion = replace(self.motion, amplitudes=self.motion.amplitudes[index], pose=self.motion.pose[index])
        return Sequence(motion, tuple(self.part[k] for k in index), self.level[index], self.view[index])


def open_head_sequences(
    unit_names: tuple[str, ...], frames: dict[str, int], seeds: tuple[int, ...]
) -> dict[str, Sequence]:
    """The sequences of an open head that are asked for: smooth motion, each of its own strength.

    Args:
        seeds: start of the seeds; a sequence's last one is its place in STRENGTH, from 1 on.
    """
    made = {}
    for stream, (name, strength) in enumerate(STRENGTH.items(), start=1):
        n = frames.get(name, 0)
        if n > 0:
            motion = random_motion(unit_names, n, np.random.default_rng([*seeds, stream]), strength)
            made[name] = Sequence(motion, (SMOOTH,) * n, np.full(n, -1), np.zeros((n, 2)))
    return made


def benchmark_sequences(
    unit_names: tuple[str, ...], frames: dict[str, int], seeds: tuple[int, ...]
) -> dict[str, Sequence]:
    """The sequences of a benchmark subject that are asked for, in their order.

    Views of a ring see frames of both tests, so these are made though not all may be asked for.

    Args:
        seeds: start of the seeds; a sequence's last one is its place in N_FRAMES, from 1 on.
    """
    made = {}
    for stream, name in enumerate((TRAIN, VALIDATION, INTERPOLATION, EXTRAPOLATION), start=1):
        make = extrapolation if name == EXTRAPOLATION else in_distribution
        made[name] = make(unit_names, frames.get(name, N_FRAMES[name]), np.random.default_rng([*seeds, stream]))
    if VIEWS in frames:
        made[VIEWS] = _seen_around(made[INTERPOLATION], made[EXTRAPOLATION], frames[VIEWS])
    return {name: made[name] for name in sorted(frames, key=lambda name: name == VIEWS)}


def _seen_around(first: Sequence, second: Sequence, n_frames: int) -> Sequence:
    """Frames evenly from both sequences, half from each, seen from a ring of cameras."""
    counts = n_frames - n_frames // 2, n_frames // 2
    parts = [
        sequence.rows(np.linspace(0, len(sequence) - 1, n).astype(int))
        for sequence, n in zip((first, second), counts, strict=True)
    ]
    level = np.concatenate([part.level for part in parts])
    motion = _joined([part.motion for part in parts])
    return Sequence(motion, parts[0].part + parts[1].part, level, ring_of_angles(n_frames))


def _joined(motions: list[Motion]) -> Motion:
    """Motions of the same units, one after the other."""
    amplitudes, pose = (np.concatenate([getattr(m, name) for m in motions]) for name in ("amplitudes", "pose"))
    return Motion(motions[0].unit_names, amplitudes, pose)


def in_distribution(unit_names: tuple[str, ...], n_frames: int, generator: np.random.Generator) -> Sequence:
    """Smooth motion, then speech, then poses that are held."""
    counts = [round(n_frames * share) for share in SHARES.values()]
    counts[0] += n_frames - sum(counts)
    makers = zip((random_motion, _speech, _posed), counts, strict=True)
    motion = _joined([make(unit_names, n, generator) for make, n in makers if n > 0])
    part = tuple(np.repeat(list(SHARES), counts).tolist())
    return Sequence(_without_pairs(motion), part, np.full(n_frames, -1), np.zeros((n_frames, 2)))


def extrapolation(unit_names: tuple[str, ...], n_frames: int, generator: np.random.Generator) -> Sequence:
    """Bins of growing strength; in every second block of HOLD frames one of the pairs that training lacks."""
    base = random_motion(unit_names, n_frames, generator)
    level = np.arange(n_frames) * len(UNIT_LEVELS) // n_frames
    amplitudes, pose = base.amplitudes.copy(), base.pose.copy()
    members = _members(unit_names)
    strength = generator.uniform(0.7, 1.0, n_frames // HOLD + 1) * MAX_UNIT
    for k in range(n_frames):
        block = k // HOLD
        for gesture in UNSEEN_PAIRS[(block // 2) % len(UNSEEN_PAIRS)] if block % 2 else ():
            amplitudes[k, members[gesture]] = strength[block]
        if amplitudes[k].max() < 0.2 * MAX_UNIT:
            amplitudes[k, members["mouthSmile"]] = MAX_UNIT
        amplitudes[k] *= UNIT_LEVELS[level[k]] / amplitudes[k].max()
    lids = [row for gesture in EYELID_GESTURES for row in members.get(gesture, [])]
    amplitudes[:, lids] = amplitudes[:, lids].clip(max=1)
    pose[:, pose_slice(Joint.JAW).start] = np.array(JAW_LEVELS)[level]
    return Sequence(Motion(unit_names, amplitudes, pose), (BEYOND,) * n_frames, level, np.zeros((n_frames, 2)))


def ring_of_angles(n_frames: int) -> Float[np.ndarray, "n 2"]:
    """Yaw and pitch of the cameras (radians), once around: left, up, right, down."""
    angle = 2 * np.pi * np.arange(n_frames) / n_frames
    return np.stack([VIEW_YAW * np.sin(angle), VIEW_PITCH * np.cos(angle)], axis=1)


def pairs_together(motion: Motion) -> Int[np.ndarray, " n"]:
    """How many of UNSEEN_PAIRS are active in each frame."""
    members = _members(motion.unit_names)
    active = {name: motion.amplitudes[:, rows].max(axis=1) > TOGETHER for name, rows in members.items()}
    return sum((active[a] & active[b]).astype(int) for a, b in UNSEEN_PAIRS)


def _members(unit_names: tuple[str, ...]) -> dict[str, list[int]]:
    """Units of each gesture."""
    members: dict[str, list[int]] = {}
    for k, name in enumerate(unit_names):
        members.setdefault(without_side(name), []).append(k)
    return members


def _without_pairs(motion: Motion) -> Motion:
    """The second of a pair fades as the first grows, so that never both are active."""
    members, amplitudes = _members(motion.unit_names), motion.amplitudes.copy()
    for first, second in UNSEEN_PAIRS:
        strength = amplitudes[:, members[first]].max(axis=1)
        amplitudes[:, members[second]] *= np.clip(1 - strength / TOGETHER, 0, 1)[:, None]
    return replace(motion, amplitudes=amplitudes)


def _speech(unit_names: tuple[str, ...], n_frames: int, generator: np.random.Generator) -> Motion:
    """The mouth of somebody who talks: a syllable in SYLLABLE frames, each with a shape of its own."""
    calm = random_motion(unit_names, n_frames, generator, strength=0.4)
    members, amplitudes, pose = _members(unit_names), calm.amplitudes, calm.pose
    n_syllables = n_frames // SYLLABLE + 2
    time = np.arange(n_frames) / SYLLABLE + generator.uniform()
    syllable, phase = time.astype(int), time % 1
    opening = generator.uniform(0.2, 1.0, n_syllables)[syllable] * np.sin(np.pi * phase) ** 2
    pose[:, pose_slice(Joint.JAW)] = 0
    pose[:, pose_slice(Joint.JAW).start] = MAX_JAW * opening
    shape = generator.integers(len(VISEMES), size=n_syllables)[syllable]
    strength = generator.uniform(0.3, 1.0, n_syllables)[syllable] * MAX_UNIT * np.sin(np.pi * phase) ** 2
    for k, viseme in enumerate(VISEMES):
        for member in members.get(viseme, []):
            amplitudes[:, member] = np.where(shape == k, strength, 0)
    return Motion(unit_names, amplitudes, pose)


def _posed(unit_names: tuple[str, ...], n_frames: int, generator: np.random.Generator) -> Motion:
    """Expressions that are taken up, held and given up for the next, while the head turns."""
    n_poses = n_frames // HOLD + 2
    amplitudes = np.zeros((n_poses, len(unit_names)))
    members = list(_members(unit_names).values())
    for pose in amplitudes[:-1]:
        for chosen in generator.choice(len(members), 3, replace=False):
            pose[members[chosen]] = generator.uniform(0.5, 1.0) * MAX_UNIT
    time = np.arange(n_frames) / HOLD
    number, share = time.astype(int), np.clip(2 * (time % 1) - 1, 0, 1)
    change = share**2 * (3 - 2 * share)
    turning = random_motion(unit_names, n_frames, generator).pose
    jaw = MAX_JAW * generator.uniform(0, 1, n_poses)
    turning[:, pose_slice(Joint.JAW)] = 0
    turning[:, pose_slice(Joint.JAW).start] = (1 - change) * jaw[number] + change * jaw[number + 1]
    change = change[:, None]
    return Motion(unit_names, (1 - change) * amplitudes[number] + change * amplitudes[number + 1], turning)
