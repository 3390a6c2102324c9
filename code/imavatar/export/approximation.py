"""What a file's formats leave out of an avatar's motion: time between key frames, and correctives of joints by hand."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from imavatar.anatomy import MM_PER_METRE, POSE_SIZE, Joint, pose_slice
from imavatar.baking.baked import BakedAvatar
from imavatar.export.clips import Clip, global_transforms
from imavatar.head.flame import Flame
from imavatar.motion.sweep import JAW_ANGLE
from imavatar.types import HeadParameters


@dataclass(frozen=True)
class Approximations:
    """Distances of vertices from where the formula of the avatar puts them, mm.

    `between_*`: halfway between the frames of a clip, of which viewers interpolate weights and rotations.
    `uncorrected_*`: with the jaw open by JAW_ANGLE and its pose correctives left at zero, as of a joint that is turned
    by hand; the mean is over the vertices that follow the jaw by half.
    """

    between_mean: float
    between_largest: float
    uncorrected_mean: float
    uncorrected_largest: float


@torch.no_grad()
def approximations(baked: BakedAvatar, flame: Flame, motion: HeadParameters, clip: Clip) -> Approximations:
    """Measure them.

    Args:
        motion: what the clip was made of, at least two frames.
    """
    between = _between_frames(baked, flame, motion, clip)
    uncorrected = _without_correctives(baked, flame)
    jaw = baked.weights[:, baked.skeleton.names.index(Joint.JAW.name.lower())] > 0.5
    return Approximations(
        between_mean=float(between.mean()),
        between_largest=float(between.max()),
        uncorrected_mean=float(uncorrected[jaw].mean()) if jaw.any() else 0.0,
        uncorrected_largest=float(uncorrected.max()),
    )


def _between_frames(baked: BakedAvatar, flame: Flame, motion: HeadParameters, clip: Clip) -> Float[np.ndarray, "t v"]:
    middle = HeadParameters(
        (motion.expression[1:] + motion.expression[:-1]) / 2, (motion.pose[1:] + motion.pose[:-1]) / 2
    )
    shown, errors = _halfway(clip), []
    for k in range(len(middle)):
        exact = _posed(baked, flame, middle[k : k + 1])
        transforms = global_transforms(baked.skeleton, shown, k)
        found = baked.posed(shown.expression[k], shown.correctives[k], transforms)
        errors.append(MM_PER_METRE * np.linalg.norm(found - exact, axis=1))
    return np.stack(errors)


def _halfway(clip: Clip) -> Clip:
    """What viewers make of a clip halfway between its frames; rotations are not of unit length."""
    tracks = {name: getattr(clip, name) for name in ("seconds", "expression", "correctives", "translations")}
    middles = {name: (values[1:] + values[:-1]) / 2 for name, values in tracks.items()}
    return replace(clip, **middles, rotations=clip.rotations[1:] + clip.rotations[:-1])


def _without_correctives(baked: BakedAvatar, flame: Flame) -> Float[np.ndarray, " v"]:
    pose = torch.zeros(1, POSE_SIZE)
    pose[:, pose_slice(Joint.JAW).start] = JAW_ANGLE
    head = HeadParameters(torch.zeros(1, flame.n_expression), pose)
    bare = replace(baked, correctives=np.zeros_like(baked.correctives))
    return MM_PER_METRE * np.linalg.norm(_posed(bare, flame, head) - _posed(baked, flame, head), axis=1)


def _posed(baked: BakedAvatar, flame: Flame, head: HeadParameters) -> Float[np.ndarray, "v 3"]:
    return baked.vertices_in(flame(head.to(flame.v_template.device)))
