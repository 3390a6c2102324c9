"""From head space back to canonical space: what C-Net, D-Net and B-Morph have in place of a forward deformer.

All are made as a `Deformer` is, whatever of its options they have no use for, and are conditioned on a frame's
expression and pose (`ConditionedFlame`).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.anatomy import POSE_FEATURE_SIZE
from imavatar.baselines.head_space import head_transform
from imavatar.fields.deformer import FieldsNetwork
from imavatar.fields.encoding import encode, encoded_size
from imavatar.fields.mlp import LayerStack, initialise_hidden, softplus
from imavatar.head.flame import Flame
from imavatar.numerics.linalg import inverse_3x3, matvec, transform_points
from imavatar.numerics.skinning import blend_transforms
from imavatar.types import DeformationFields, HeadParameters, PosedHead


def condition_size(n_expression: int) -> int:
    """Numbers of an expression and of the pose feature."""
    return n_expression + POSE_FEATURE_SIZE


class ConditionedFlame(Flame):
    """A `Flame` whose frames have expression and pose feature (docs/method.md, section 1) after their latent code."""

    def forward(self, head: HeadParameters, latent: Float[Tensor, "b l"] | None = None) -> PosedHead:
        """As `Flame.forward`."""
        posed = super().forward(head, latent)
        return replace(posed, latent=torch.cat([posed.latent, posed.expression, posed.pose_feature], dim=-1))


class WithoutFields:
    """A warp without blendshapes, correctives and skinning weights."""

    n_expression: int
    n_bones: int

    def surface_fields(self, x_h: Float[Tensor, "n 3"], head: PosedHead) -> DeformationFields:
        """Zeros: there are none."""
        n = len(x_h)
        shapedirs, posedirs = x_h.new_zeros(n, 3, self.n_expression), x_h.new_zeros(n, POSE_FEATURE_SIZE, 3)
        return DeformationFields(shapedirs, posedirs, x_h.new_zeros(n, self.n_bones))


class StillWarp(WithoutFields, nn.Module):
    """C-Net's: head space is canonical space; what moves is the conditioned geometry."""

    effective_parameters: tuple[Tensor, ...] = ()

    def __init__(self, canonical: PosedHead, widths: Sequence[int] = (), *, n_expression: int = 50, **options: object):
        super().__init__()
        self.n_expression = n_expression
        self.n_bones = canonical.bone_transforms.shape[1]

    def forward(self, x_h: Float[Tensor, "n 3"], head: PosedHead) -> Float[Tensor, "n 3"]:
        """The points themselves."""
        return x_h


class DisplacementWarp(WithoutFields, LayerStack):
    """D-Net's: x_c = x_h + u(x_h; expression, pose).

    Without weight normalisation: u starts at zero, and a row of zeros has no direction.
    """

    def __init__(
        self,
        canonical: PosedHead,
        widths: Sequence[int] = (128,) * 4,
        *,
        n_expression: int = 50,
        n_octaves: int = 0,
        **options: object,
    ):
        d_in = encoded_size(n_octaves) + condition_size(n_expression)
        super().__init__(d_in, widths, 3, weight_norm=False)
        self.n_octaves, self.n_expression = n_octaves, n_expression
        self.n_bones = canonical.bone_transforms.shape[1]
        *hidden, last = self.layers
        for layer in hidden:
            initialise_hidden(layer)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x_h: Float[Tensor, "n 3"], head: PosedHead) -> Float[Tensor, "n 3"]:
        """Canonical points of one frame."""
        value = _conditioned(x_h, head, self.n_octaves, self.n_expression)
        for layer in self.layers[:-1]:
            value = softplus(layer(value))
        return x_h + self.layers[-1](value)


class MorphWarp(FieldsNetwork):
    """B-Morph's: blendshapes, correctives and skinning weights are looked up where a point is seen, not where it comes
    from, and undone there:

        x_c = C(x_h) [ (sum_j W_j T_j)^-1 x_d - E psi - P^T (Theta - Theta^canon) ],  C = sum_j W_j T_j^canon

    E, P and W are those of a `Deformer`, at x_h and conditioned on the frame.
    """

    def __init__(
        self,
        canonical: PosedHead,
        widths: Sequence[int] = (128,) * 4,
        *,
        n_expression: int = 50,
        n_octaves: int = 0,
        weight_norm: bool = True,
    ):
        d_in = encoded_size(n_octaves) + condition_size(n_expression)
        super().__init__(d_in, canonical, widths, n_expression=n_expression, weight_norm=weight_norm)
        self.n_octaves = n_octaves

    def features(self, x_h: Float[Tensor, "n 3"], head: PosedHead) -> tuple[Float[Tensor, "n w"], Float[Tensor, "n j"]]:
        """Last hidden values and skinning weights at points of head space, of one frame."""
        return self.features_of(_conditioned(x_h, head, self.n_octaves, self.n_expression))

    def surface_fields(self, x_h: Float[Tensor, "n 3"], head: PosedHead) -> DeformationFields:
        """The three fields at points of head space."""
        return self.fields(*self.features(x_h, head))

    def forward(self, x_h: Float[Tensor, "n 3"], head: PosedHead) -> Float[Tensor, "n 3"]:
        """Canonical points of one frame."""
        hidden, weights = self.features(x_h, head)
        fields = self.fields(hidden, weights)
        x_d = transform_points(head_transform(head), x_h)
        forward = blend_transforms(weights, head.bone_transforms[0])[:, :3]
        canonical = blend_transforms(weights, self.canonical_transforms)[:, :3]
        unposed = matvec(inverse_3x3(forward[..., :3]), x_d - forward[..., 3])
        template = unposed - self._offset(fields, head)
        return matvec(canonical[..., :3], template) + canonical[..., 3]

    def seen_at(self, x_c: Float[Tensor, "n 3"], known: DeformationFields, head: PosedHead) -> Float[Tensor, "n 3"]:
        """Where canonical points whose fields are known are in the head space of a frame: the inverse of `forward`."""
        canonical = blend_transforms(known.weights, self.canonical_transforms)[:, :3]
        forward = blend_transforms(known.weights, head.bone_transforms[0])[:, :3]
        template = matvec(inverse_3x3(canonical[..., :3]), x_c - canonical[..., 3])
        x_d = matvec(forward[..., :3], template + self._offset(known, head)) + forward[..., 3]
        back = head_transform(head)
        return matvec(back[:3, :3].T.expand(len(x_d), 3, 3), x_d - back[:3, 3])

    def _offset(self, fields: DeformationFields, head: PosedHead) -> Float[Tensor, "n 3"]:
        """E psi + P^T (Theta - Theta^canon) of points."""
        feature = head.pose_feature[0] - self.canonical_pose_feature
        return fields.shapedirs @ head.expression[0] + torch.einsum("npk,p->nk", fields.posedirs, feature)


def _conditioned(x_h: Float[Tensor, "n 3"], head: PosedHead, n_octaves: int, n_expression: int) -> Float[Tensor, "n i"]:
    """Encoded points and the frame's expression and pose, the latter no longer than the former."""
    condition = head.latent[:, -condition_size(n_expression) :] / math.sqrt(n_expression)
    return torch.cat([encode(x_h, n_octaves), condition.expand(len(x_h), -1)], dim=-1)
