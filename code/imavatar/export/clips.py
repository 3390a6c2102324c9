"""Motions as a skinned mesh plays them: local rotations and translations of joints, and weights of morph targets."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from imavatar.baking.baked import Skeleton, frame_transforms
from imavatar.head.flame import Flame
from imavatar.types import HeadParameters


@dataclass(frozen=True)
class Clip:
    """Frames of a motion; rotations are quaternions x, y, z, w, translations in metres, both in the parent's frame.

    `expression` and `correctives` are the weights of these morph targets.
    """

    name: str
    seconds: Float[np.ndarray, " t"]
    expression: Float[np.ndarray, "t e"]
    correctives: Float[np.ndarray, "t k"]
    rotations: Float[np.ndarray, "t j 4"]
    translations: Float[np.ndarray, "t j 3"]


@torch.no_grad()
def make_clip(name: str, flame: Flame, skeleton: Skeleton, motion: HeadParameters, fps: float) -> Clip:
    """A motion as joints and weights.

    A joint's place follows the expression a little, as it is regressed from vertices: translations carry that, so that
    a clip is as exact as the mesh. They are absolute, as glTF's are: of a joint at rest its place under its parent.
    """
    device = flame.v_template.device
    posed = flame(motion.to(device))
    local = np.stack([_local(skeleton, frame_transforms(posed, k)) for k in range(len(motion))])
    turns = Rotation.from_matrix(local[..., :3, :3].reshape(-1, 3, 3)).as_quat().reshape(*local.shape[:2], 4)
    return Clip(
        name=name,
        seconds=np.arange(len(motion)) / fps,
        expression=posed.expression.double().cpu().numpy(),
        correctives=posed.pose_feature.double().cpu().numpy(),
        rotations=_continuous(turns),
        translations=local[..., :3, 3],
    )


def global_transforms(skeleton: Skeleton, clip: Clip, frame: int) -> Float[np.ndarray, "j 4 4"]:
    """Transforms of the joints relative to rest in a frame, put together from the clip's as a viewer does."""
    world = []
    for j, parent in enumerate(skeleton.parents):
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(clip.rotations[frame, j]).as_matrix()
        local[:3, 3] = clip.translations[frame, j]
        world.append(local if parent < 0 else world[parent] @ local)
    return np.stack([transform @ _translation(-rest) for transform, rest in zip(world, skeleton.rest, strict=True)])


def rest_translations(skeleton: Skeleton) -> Float[np.ndarray, "j 3"]:
    """Places of the joints at rest under their parents."""
    parents = np.array([skeleton.rest[p] if p >= 0 else np.zeros(3) for p in skeleton.parents])
    return skeleton.rest - parents


def _local(skeleton: Skeleton, relative: Float[np.ndarray, "j 4 4"]) -> Float[np.ndarray, "j 4 4"]:
    world = [transform @ _translation(rest) for transform, rest in zip(relative, skeleton.rest, strict=True)]
    return np.stack(
        [own if p < 0 else np.linalg.inv(world[p]) @ own for own, p in zip(world, skeleton.parents, strict=True)]
    )


def _translation(offset: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def _continuous(turns: Float[np.ndarray, "t j 4"]) -> Float[np.ndarray, "t j 4"]:
    """Of q and -q, which mean the same, the one nearer to the frame before: viewers interpolate between them."""
    turns = turns.copy()
    for k in range(1, len(turns)):
        far = (turns[k] * turns[k - 1]).sum(axis=-1) < 0
        turns[k, far] *= -1
    return turns
