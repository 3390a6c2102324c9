"""An avatar as a skinned mesh with morph targets: what glTF, Blender and game engines can show."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from imavatar.anatomy import HEAD_SCALE, JOINT_PARENTS, Joint
from imavatar.types import PosedHead

N_INFLUENCES = 4
"""Joints that a vertex follows at most in the formats of game engines."""
GHOST = "ghost"


@dataclass(frozen=True)
class Skeleton:
    """Joints at rest, metres, parents first; a parent of -1 is a root. The ghost joint never moves."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Float[np.ndarray, "j 3"]


@dataclass(frozen=True)
class BakedAvatar:
    """A mesh in its rest pose with everything that moves it. Metres, x to the subject's left, y up, z to the front.

    A vertex is at `sum_j weights_j M_j (vertices + expression psi + correctives theta)` with the joints' transforms M_j
    relative to rest, expression coefficients psi, and the pose feature theta: the rotation matrices of neck, jaw and
    eyes less the identity. It is what the avatar's own deformer does at the canonical points `canonical` (model units).

    `normals` are those of the rest pose. `colours` are sRGB in [0, 1]; with `texture` (rows from the top) `uv` says
    where in it vertices are, v up.
    """

    canonical: Float[np.ndarray, "v 3"]
    vertices: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    expression: Float[np.ndarray, "e v 3"]
    correctives: Float[np.ndarray, "k v 3"]
    weights: Float[np.ndarray, "v j"]
    skeleton: Skeleton
    colours: Float[np.ndarray, "v 3"]
    uv: Float[np.ndarray, "v 2"] | None = None
    texture: UInt8[np.ndarray, "h w 3"] | None = None

    def posed(
        self,
        expression: Float[np.ndarray, " e"],
        pose_feature: Float[np.ndarray, " k"],
        transforms: Float[np.ndarray, "j 4 4"],
        weights: Float[np.ndarray, "v j"] | None = None,
    ) -> Float[np.ndarray, "v 3"]:
        """Vertices of a frame (metres) by the formula above; `weights` other than the avatar's own may be given."""
        # Not by BLAS, whose threads would go on waiting busily: viewers call this many times a second.
        weights = self.weights if weights is None else weights
        moved = self.vertices + np.einsum("k,kvc->vc", expression, self.expression)
        moved = moved + np.einsum("k,kvc->vc", pose_feature, self.correctives)
        blended = np.einsum("vj,jm->vm", weights, transforms[:, :3].reshape(len(transforms), 12)).reshape(-1, 3, 4)
        return np.einsum("vmn,vn->vm", blended[..., :3], moved) + blended[..., 3]

    def vertices_in(
        self, posed: PosedHead, weights: Float[np.ndarray, "v j"] | None = None
    ) -> Float[np.ndarray, "v 3"]:
        """Vertices (metres) in a frame (one row) that the head model has posed, as `posed` gives them.

        Coefficients beyond the mesh's own expressions are left out.
        """
        looks = (posed.expression, posed.pose_feature)
        expression, feature = (values[0].detach().double().cpu().numpy() for values in looks)
        return self.posed(expression[: len(self.expression)], feature, frame_transforms(posed, 0), weights)


def skeleton_of(joints: Float[np.ndarray, "5 3"], ghost: bool) -> Skeleton:
    """The skeleton of a head model's joints (metres).

    Args:
        ghost: with the bone that does not move, which shoulders follow, before the others.
    """
    names = tuple(joint.name.lower() for joint in Joint)
    if not ghost:
        return Skeleton(names, JOINT_PARENTS, joints)
    parents = (-1, *(-1 if parent < 0 else parent + 1 for parent in JOINT_PARENTS))
    return Skeleton((GHOST, *names), parents, np.concatenate([np.zeros((1, 3)), joints]))


def frame_transforms(posed: PosedHead, frame: int) -> Float[np.ndarray, "j 4 4"]:
    """Transforms of the joints in a frame, relative to rest, in metres."""
    transforms = posed.bone_transforms[frame].detach().double().cpu().numpy().copy()
    transforms[:, :3, 3] /= HEAD_SCALE
    return transforms


def strongest_weights(
    weights: Float[np.ndarray, "v j"],
) -> tuple[Int[np.ndarray, "v 4"], Float[np.ndarray, "v 4"], float]:
    """The N_INFLUENCES strongest joints of each vertex, their weights scaled to sum to one, what was lost at most."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :N_INFLUENCES]
    kept = np.take_along_axis(weights, order, axis=1)
    total = kept.sum(axis=1, keepdims=True)
    return order, kept / total, float((1 - total).max())


def with_strongest(weights: Float[np.ndarray, "v j"]) -> Float[np.ndarray, "v j"]:
    """The weights that are left of `strongest_weights`, for all joints."""
    order, kept, _ = strongest_weights(weights)
    full = np.zeros_like(weights)
    np.put_along_axis(full, order, kept, axis=1)
    return full
