"""FLAME's forward pass, written from its equations: shape, expression, pose correctives, joints, skinning."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.anatomy import (
    CANONICAL_JAW_ANGLE,
    HEAD_SCALE,
    JOINT_PARENTS,
    N_EXPRESSION,
    N_JOINTS,
    N_SHAPE_COLUMNS,
    POSE_SIZE,
    Joint,
    pose_slice,
)
from imavatar.head.assets import HeadAssets
from imavatar.numerics.linalg import transform_points
from imavatar.numerics.rotations import axis_angle_to_matrix
from imavatar.numerics.skinning import kinematic_transforms
from imavatar.types import DeformationFields, HeadParameters, PosedHead


class Flame(nn.Module):
    """A head of one subject: HeadParameters -> PosedHead (docs/method.md, section 2).

    Everything is a buffer in model units, named as in the authors' checkpoints. The subject's shape
    is folded into `v_template`.

    Args:
        shape_params: shape coefficients, at most 300.
        n_expression: expression components that are used.
        ghost_bone: put the identity before the joints' transforms, so that shoulders can stay.
    """

    faces_tensor: Tensor
    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    J_regressor: Tensor
    lbs_weights: Tensor

    def __init__(
        self,
        assets: HeadAssets,
        shape_params: Float[Tensor, " s"],
        *,
        n_expression: int = N_EXPRESSION,
        ghost_bone: bool = True,
    ):
        super().__init__()
        self.n_expression = n_expression
        self.n_shape = len(shape_params)
        self.ghost_bone = ghost_bone
        dtype = shape_params.dtype
        shapedirs = torch.as_tensor(assets.shapedirs).to(dtype) * HEAD_SCALE
        shape_columns = shapedirs[..., : self.n_shape]
        expression_columns = shapedirs[..., N_SHAPE_COLUMNS : N_SHAPE_COLUMNS + n_expression]
        template = torch.as_tensor(assets.v_template).to(dtype) * HEAD_SCALE
        posedirs = torch.as_tensor(assets.posedirs).to(dtype) * HEAD_SCALE
        self.register_buffer("eye_pose", torch.zeros(1, 6, dtype=dtype))
        self.register_buffer("neck_pose", torch.zeros(1, 3, dtype=dtype))
        self.register_buffer("faces_tensor", torch.as_tensor(assets.faces).long())
        self.register_buffer("v_template", template + shape_columns @ shape_params)
        self.register_buffer("shapedirs", torch.cat([shape_columns, expression_columns], dim=-1))
        self.register_buffer("posedirs", posedirs.permute(2, 0, 1).flatten(start_dim=1))
        self.register_buffer("J_regressor", torch.as_tensor(assets.joint_regressor).to(dtype))
        self.register_buffer("parents", torch.tensor(JOINT_PARENTS))
        self.register_buffer("lbs_weights", torch.as_tensor(assets.weights).to(dtype))

    @property
    def expression_dirs(self) -> Float[Tensor, "v 3 e"]:
        """Expression blendshapes in model units."""
        return self.shapedirs[..., self.n_shape :]

    def forward(self, head: HeadParameters, latent: Float[Tensor, "b l"] | None = None) -> PosedHead:
        """What the fields need to know of frames; differentiable in expression and pose."""
        shaped = self._with_expression(head.expression)
        rotations = axis_angle_to_matrix(head.pose.unflatten(-1, (N_JOINTS, 3)))
        joints = self.J_regressor @ shaped
        transforms = kinematic_transforms(rotations, joints, JOINT_PARENTS)
        identity = torch.eye(4, dtype=shaped.dtype, device=shaped.device)
        if self.ghost_bone:
            transforms = torch.cat([identity.expand(len(head), 1, 4, 4), transforms], dim=1)
        return PosedHead(
            expression=head.expression,
            texture_condition=torch.cat([head.expression, head.rotation_vector(Joint.JAW)], dim=-1),
            pose_feature=(rotations[:, 1:] - identity[:3, :3]).flatten(start_dim=1),
            bone_transforms=transforms,
            latent=shaped.new_zeros(len(head), 0) if latent is None else latent,
        )

    def vertices(self, head: HeadParameters) -> Float[Tensor, "b v 3"]:
        """Vertices in frames, model units."""
        return self.posed_vertices(self(head))

    def posed_vertices(self, posed: PosedHead) -> Float[Tensor, "b v 3"]:
        """Vertices in frames that are posed already, model units."""
        correctives = (posed.pose_feature @ self.posedirs).unflatten(-1, (-1, 3))
        corrected = self._with_expression(posed.expression) + correctives
        blended = torch.einsum("vj,bjmn->bvmn", self.lbs_weights, posed.bone_transforms[:, -N_JOINTS:])
        return transform_points(blended, corrected)

    @property
    def canonical_parameters(self) -> HeadParameters:
        """Zero expression; all joints at rest but the jaw, 0.2 rad about x."""
        pose = self.v_template.new_zeros(1, POSE_SIZE)
        pose[:, pose_slice(Joint.JAW).start] = CANONICAL_JAW_ANGLE
        return HeadParameters(self.v_template.new_zeros(1, self.n_expression), pose)

    @property
    def canonical_head(self) -> PosedHead:
        """The canonical pose (one row)."""
        return self(self.canonical_parameters)

    @property
    def canonical_vertices(self) -> Float[Tensor, "v 3"]:
        """Vertices in the canonical pose."""
        return self.vertices(self.canonical_parameters)[0]

    def vertex_fields(self) -> DeformationFields:
        """Blendshapes, pose correctives and skinning weights of the vertices (ghost bone: 0)."""
        weights = F.pad(self.lbs_weights, (int(self.ghost_bone), 0))
        posedirs = self.posedirs.unflatten(-1, (-1, 3)).transpose(0, 1)
        return DeformationFields(self.expression_dirs, posedirs.contiguous(), weights)

    def _with_expression(self, expression: Float[Tensor, "b e"]) -> Float[Tensor, "b v 3"]:
        return self.v_template + torch.einsum("vke,be->bvk", self.expression_dirs, expression)
