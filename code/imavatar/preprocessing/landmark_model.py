"""The head model restricted to its landmarks: exact, and many times cheaper than posing the whole mesh."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from imavatar.anatomy import HEAD_SCALE, JOINT_PARENTS, N_EXPRESSION, N_JOINTS, N_SHAPE, N_SHAPE_COLUMNS, Joint
from imavatar.head.assets import HeadAssets
from imavatar.head.landmarks import LandmarkEmbedding, pupil_weights
from imavatar.head.lid_units import lid_units
from imavatar.numerics.rotations import axis_angle_to_matrix
from imavatar.numerics.skinning import kinematic_transforms

WITH_HEAD = 0.95
"""Skinning weight from which on a vertex moves with the head."""


@dataclass(frozen=True)
class JointShare:
    """The points that one joint moves, weighted by how much it does: linear in all coefficients."""

    points: Tensor  # [k] indices
    weight: Float[Tensor, " k"]
    base: Float[Tensor, " k3"]
    shape_basis: Float[Tensor, "s k3"]
    frame_basis: Float[Tensor, "c k3"]  # c: expression, then pose feature


class SurfacePoints:
    """Points of the head's surface as a function of shape, expression and pose; model units, world space.

    A point is a sum over vertices (barycentric) and joints (skinning) of transformed points that are linear in the
    coefficients. Summed over the vertices first, only one product and one transform per joint are left.

    Args:
        assets: the head model.
        index: of vertices, a row a point.
        weights: of these vertices.
        dtype, device: of all tensors.
    """

    def __init__(
        self,
        assets: HeadAssets,
        index: Int[np.ndarray, "l k"],
        weights: Float[np.ndarray, "l k"],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        columns = np.r_[0:N_SHAPE, N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + N_EXPRESSION]
        offsets = assets.shapedirs[..., columns] * HEAD_SCALE
        template = assets.v_template * HEAD_SCALE
        basis = np.concatenate([offsets, assets.posedirs * HEAD_SCALE], axis=-1)

        def tensor(array):
            return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        self.parents = JOINT_PARENTS
        self.n_points = len(index)
        self.shares = []
        for joint in range(N_JOINTS):
            share = weights * assets.weights[index, joint]  # [landmarks, k]
            moved = np.flatnonzero(share.sum(axis=1) > 1e-6)
            share, vertices = share[moved], index[moved]
            base = np.einsum("lk,lkx->lx", share, template[vertices]).reshape(-1)
            directions = np.einsum("lk,lkxc->clx", share, basis[vertices])
            bases = np.split(directions.reshape(len(directions), -1), [N_SHAPE])
            self.shares.append(
                JointShare(torch.as_tensor(moved, device=device), *map(tensor, (share.sum(axis=1), base, *bases)))
            )
        self.joint_base = tensor(assets.joint_regressor @ template)
        self.joint_basis = tensor(np.einsum("jv,vxc->cjx", assets.joint_regressor, offsets))

    def __call__(
        self, shape: Float[Tensor, "100"], expression: Float[Tensor, "n 50"], pose: Float[Tensor, "n 15"]
    ) -> Float[Tensor, "n l 3"]:
        """The points in n frames of one subject."""
        n = len(expression)
        rotations, transforms = self.joint_motion(shape, expression, pose)
        feature = (rotations[:, 1:] - torch.eye(3, dtype=pose.dtype, device=pose.device)).flatten(start_dim=1)
        of_frame = torch.cat([expression, feature], dim=1)
        points = pose.new_zeros(n, self.n_points, 3)
        for joint, share in enumerate(self.shares):
            if not len(share.points):
                continue
            of_subject = share.base + shape @ share.shape_basis
            local = torch.addmm(of_subject, of_frame, share.frame_basis).view(n, -1, 3)
            moved = local @ transforms[:, joint, :3, :3].transpose(1, 2)
            moved = moved + share.weight[:, None] * transforms[:, None, joint, :3, 3]
            points = points.index_add(1, share.points, moved)
        return points

    def joint_motion(
        self, shape: Float[Tensor, "100"], expression: Float[Tensor, "n 50"], pose: Float[Tensor, "n 15"]
    ) -> tuple[Float[Tensor, "n j 3 3"], Float[Tensor, "n j 4 4"]]:
        """Rotations of the joints, and what they do to points at rest."""
        n = len(expression)
        coefficients = torch.cat([shape.expand(n, -1), expression], dim=1)
        joints = self.joint_base + torch.einsum("nc,cjx->njx", coefficients, self.joint_basis)
        rotations = axis_angle_to_matrix(pose.view(n, N_JOINTS, 3))
        return rotations, kinematic_transforms(rotations, joints, self.parents)


class LandmarkModel(SurfacePoints):
    """The landmarks, then the two pupils.

    `lid_units` are the expressions that close each lid, `above_eyes` vertices of the head, at rest, model units.
    """

    def __init__(
        self,
        assets: HeadAssets,
        embedding: LandmarkEmbedding,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        super().__init__(assets, *_landmark_weights(assets, embedding), dtype, device)
        self.lid_units = self.joint_base.new_tensor(lid_units(assets, embedding))
        self.above_eyes = self.joint_base.new_tensor(_above_eyes(assets))


def _above_eyes(assets: HeadAssets) -> Float[np.ndarray, "m 3"]:
    """Vertices of the template that move with the head and lie above the pupils, model units."""
    index, weight = pupil_weights(assets)
    level = (assets.v_template[index] * weight[..., None]).sum(axis=1)[:, 1].mean()
    chosen = (assets.weights[:, Joint.NECK] > WITH_HEAD) & (assets.v_template[:, 1] > level)
    return assets.v_template[chosen] * HEAD_SCALE


def _landmark_weights(assets: HeadAssets, embedding: LandmarkEmbedding) -> tuple[np.ndarray, np.ndarray]:
    """Vertex indices and weights, each [468 + 2, k], of the landmarks and pupils."""
    index, weight = zip((assets.faces[embedding.faces], embedding.barycentric), pupil_weights(assets), strict=True)
    k = max(part.shape[1] for part in index)

    def joined(parts: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.concatenate([np.pad(part, ((0, 0), (0, k - part.shape[1]))) for part in parts])

    return joined(index), joined(weight)
