"""The deformer: blendshapes, pose correctives and skinning weights of canonical points, and what they do.

    x_d(x_c) = sum_j W_j T_j (x_0 + E psi + P^T Theta)                            (docs/method.md, section 4)
    x_0(x_c) = (sum_j W_j T_j^canon)^-1 x_c - P^T Theta^canon

E, P and W are all evaluated at x_c. E psi + P^T (Theta - Theta^canon) is linear in the last hidden
layer: for one frame the two linear heads contract, exactly, to a 3-row matrix.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.anatomy import POSE_FEATURE_SIZE
from imavatar.fields.encoding import encode, encoded_size, encoding_tangents
from imavatar.fields.functions import Deformation
from imavatar.fields.mlp import LayerStack, WeightNormLinear, initialise_hidden, layer_with_tangents, softplus
from imavatar.numerics.linalg import inverse_3x3, matvec
from imavatar.numerics.precision import full_precision
from imavatar.numerics.skinning import blend_transforms
from imavatar.types import DeformationFields, PosedHead

SOFTMAX_TEMPERATURE = 20.0
POSEDIRS_OUTPUTS = POSE_FEATURE_SIZE * 3


class FieldsNetwork(LayerStack):
    """From an input to blendshapes, pose correctives and skinning weights: the layers of docs/method.md, section 3.

    Args:
        canonical: the head in its canonical pose (one row).
    """

    canonical_transforms: Tensor
    canonical_pose_feature: Tensor

    def __init__(self, d_in: int, canonical: PosedHead, widths: Sequence[int], *, n_expression: int, weight_norm: bool):
        width = widths[-1]
        super().__init__(d_in, widths[:-1], width, weight_norm=weight_norm)
        self.n_expression = n_expression
        self.blendshapes = nn.Linear(width, POSEDIRS_OUTPUTS + 3 * n_expression)
        self.skinning_linear = WeightNormLinear(width, width)
        self.skinning = nn.Linear(width, canonical.bone_transforms.shape[1])
        for layer in (*self.layers, self.skinning_linear):
            initialise_hidden(layer)
        for head in (self.blendshapes, self.skinning):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.register_buffer("canonical_transforms", canonical.bone_transforms[0].clone(), persistent=False)
        self.register_buffer("canonical_pose_feature", canonical.pose_feature[0].clone(), persistent=False)

    @property
    def effective_parameters(self) -> list[Tensor]:
        """Everything that the fields depend on besides the input."""
        own = (self.blendshapes, self.skinning_linear, self.skinning)
        return [*super().effective_parameters, *(tensor for layer in own for tensor in (layer.weight, layer.bias))]

    def fields(self, hidden: Float[Tensor, "n w"], weights: Float[Tensor, "n j"]) -> DeformationFields:
        """The three fields where the last hidden values and the skinning weights are known."""
        blendshapes = self.blendshapes(hidden)
        return DeformationFields(
            shapedirs=blendshapes[:, POSEDIRS_OUTPUTS:].unflatten(1, (3, self.n_expression)),
            posedirs=blendshapes[:, :POSEDIRS_OUTPUTS].unflatten(1, (POSE_FEATURE_SIZE, 3)),
            weights=weights,
        )

    def features_of(self, value: Float[Tensor, "n i"]) -> tuple[Float[Tensor, "n w"], Float[Tensor, "n j"]]:
        """Last hidden values and skinning weights, where the network's input is known."""
        for layer in self.layers:
            value = softplus(layer(value))
        logits = self.skinning(softplus(self.skinning_linear(value)))
        return value, torch.softmax(SOFTMAX_TEMPERATURE * logits, dim=-1)


class Deformer(FieldsNetwork):
    """x_c -> E, P, W (docs/method.md, section 3), and with a frame's parameters x_c -> x_d.

    Args:
        canonical: the head in its canonical pose (one row), from which x_0 is found.
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
        super().__init__(encoded_size(n_octaves), canonical, widths, n_expression=n_expression, weight_norm=weight_norm)
        self.n_octaves = n_octaves

    def forward(self, x_c: Float[Tensor, "n 3"]) -> DeformationFields:
        """The three fields at canonical points."""
        return self.fields(*self.features(x_c))

    def features(self, x_c: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n w"], Float[Tensor, "n j"]]:
        """What the deformation of points needs of the network in any frame: last hidden values, skinning weights."""
        return self.features_of(encode(x_c, self.n_octaves))

    def for_frame(self, posed: PosedHead) -> "FrameDeformation":
        """The deformation of one frame (a PosedHead of one row)."""
        if len(posed) != 1:
            raise ValueError(f"a deformation belongs to one frame, not to {len(posed)}")
        return FrameDeformation(self, posed)


class FrameDeformation:
    """x_c -> x_d of one frame; differentiable in the network, the frame's parameters and x_c."""

    def __init__(self, deformer: Deformer, posed: PosedHead):
        self.deformer = deformer
        self.transforms = posed.bone_transforms[0]
        self.canonical_transforms = deformer.canonical_transforms
        with full_precision(self.transforms.device):
            contraction = self._contraction(posed)
            self.displacement_weight = contraction @ deformer.blendshapes.weight  # [3, w]
            self.displacement_bias = contraction @ deformer.blendshapes.bias  # [3]

    def _contraction(self, posed: PosedHead) -> Float[Tensor, "3 o"]:
        """Rows that take the blendshape head's outputs to E psi + P^T (Theta - Theta^canon)."""
        feature = posed.pose_feature[0] - self.deformer.canonical_pose_feature
        identity = torch.eye(3, dtype=feature.dtype, device=feature.device)
        by_pose = torch.einsum("k,ia->ika", feature, identity).reshape(3, -1)
        by_expression = torch.einsum("ia,l->ial", identity, posed.expression[0]).reshape(3, -1)
        return torch.cat([by_pose, by_expression], dim=-1)

    def __call__(self, x_c: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Deformed points."""
        return self.from_features(x_c, *self.deformer.features(x_c))

    def from_features(
        self, x_c: Float[Tensor, "n 3"], hidden: Float[Tensor, "n w"], weights: Float[Tensor, "n j"]
    ) -> Float[Tensor, "n 3"]:
        """Deformed points whose features, see `Deformer.features`, are known."""
        offset = F.linear(hidden, self.displacement_weight, self.displacement_bias)
        return self._skin(x_c, offset, weights)[0]

    def _skin(
        self, x_c: Float[Tensor, "n 3"], offset: Float[Tensor, "n 3"], weights: Float[Tensor, "n j"]
    ) -> tuple[
        Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "n 3 4"], Float[Tensor, "n 3 3"]
    ]:
        """x_d, and what its derivative takes: x_0, template point, the bones' blend, the canonical blend's inverse."""
        forward = blend_transforms(weights, self.transforms)[:, :3]
        canonical = blend_transforms(weights, self.canonical_transforms)[:, :3]
        undo = inverse_3x3(canonical[..., :3])
        x_0 = matvec(undo, x_c - canonical[..., 3])
        template = x_0 + offset
        x_d = matvec(forward[..., :3], template) + forward[..., 3]
        return x_d, x_0, template, forward, undo

    def blended_rotation(self, x_c: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 3"]:
        """Upper-left 3x3 of sum_j W_j T_j, from which the paper starts Broyden's Jacobian."""
        return blend_transforms(self.deformer.features(x_c)[1], self.transforms)[:, :3, :3]

    def with_jacobian(self, x_c: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3 3"]]:
        """Deformed points and J[n, i, k] = d x_d,i / d x_c,k; see `evaluate`."""
        found = self.evaluate(x_c)
        return found.x_d, found.jacobian

    def evaluate(self, x_c: Float[Tensor, "n 3"]) -> Deformation:
        """Points and Jacobians by hand-written forward differentiation, differentiable as a whole.

        Three tangents are pushed through the layers beside the value.
        """
        net = self.deformer
        value = encode(x_c, net.n_octaves)
        tangent = encoding_tangents(x_c, net.n_octaves)  # [3, n, e]
        for layer in net.layers:
            value, tangent = layer_with_tangents(layer, value, tangent)
        hidden, offset = value, F.linear(value, self.displacement_weight, self.displacement_bias)
        d_offset = tangent @ self.displacement_weight.T  # [3, n, 3]
        inner, d_inner = layer_with_tangents(net.skinning_linear, value, tangent)
        weights = torch.softmax(SOFTMAX_TEMPERATURE * net.skinning(inner), dim=-1)
        d_logits = SOFTMAX_TEMPERATURE * (d_inner @ net.skinning.weight.T)
        d_weights = weights * (d_logits - (weights * d_logits).sum(dim=-1, keepdim=True))

        x_d, x_0, template, forward, undo = self._skin(x_c, offset, weights)
        d_weights, d_offset = d_weights.transpose(0, 1), d_offset.transpose(0, 1)  # [n, 3, ...]
        identity = torch.eye(3, dtype=x_c.dtype, device=x_c.device)
        # x_0 = B^-1 (x_c - b): d x_0 = B^-1 (e_k - dB x_0 - db), bone by bone.
        d_canonical = d_weights @ _bone_images(self.canonical_transforms, x_0)
        d_x_0 = (identity - d_canonical) @ undo.transpose(1, 2)
        d_forward = d_weights @ _bone_images(self.transforms, template)
        jacobian = (d_x_0 + d_offset) @ forward[..., :3].transpose(1, 2) + d_forward
        return Deformation(x_d, jacobian.transpose(1, 2), hidden, weights)


def _bone_images(transforms: Float[Tensor, "j 4 4"], points: Float[Tensor, "n 3"]) -> Float[Tensor, "n j 3"]:
    """Where each bone alone would take each point."""
    return torch.einsum("jab,nb->nja", transforms[:, :3, :3], points) + transforms[:, :3, 3]
