"""The canonical signed-distance field."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from imavatar.fields.encoding import encode, encoded_size, encoding_pullback
from imavatar.fields.mlp import LayerStack, assign_weight, initialise_hidden, softplus, softplus_and_slope


class Geometry(LayerStack):
    """x_c -> signed distance (negative inside, model units) and features (docs/method.md, section 3).

    Args:
        widths: of the hidden layers.
        n_features: numbers that the texture network receives besides the distance.
        latent_size: width of the per-frame latent code, 0 for none.
        condition_size: numbers of a frame that follow the code, for the first layer alone: so many that a skip
            connection would leave no room for hidden values. Not in the paper's avatar.
        sphere_radius: the initial surface is about a sphere of this radius.
    """

    def __init__(
        self,
        widths: Sequence[int] = (512,) * 8,
        *,
        n_features: int = 256,
        n_octaves: int = 6,
        skip_in: Sequence[int] = (4,),
        latent_size: int = 0,
        condition_size: int = 0,
        weight_norm: bool = True,
        geometric_init: bool = True,
        sphere_radius: float = 0.6,
    ):
        d_skip = encoded_size(n_octaves) + latent_size
        super().__init__(
            d_skip + condition_size, widths, 1 + n_features, skip_in=skip_in, d_skip=d_skip, weight_norm=weight_norm
        )
        self.n_octaves = n_octaves
        self.latent_size = latent_size + condition_size
        self.active_bands: float | None = None
        if geometric_init:
            self._initialise_to_sphere(sphere_radius)

    def _initialise_to_sphere(self, radius: float) -> None:
        *hidden, last = self.layers
        for index, layer in enumerate(hidden):
            initialise_hidden(layer)
            weight = layer.weight.detach().clone()
            if index == 0:
                weight[:, 3:] = 0
            elif index in self.skip_in:
                weight[:, weight.shape[1] - (self.d_skip - 3) :] = 0
            assign_weight(layer, weight, torch.zeros(len(weight)))
        fan_out, fan_in = last.weight.shape
        weight = math.sqrt(math.pi) / math.sqrt(fan_in) + 1e-4 * torch.randn(fan_out, fan_in)
        assign_weight(last, weight, torch.full((fan_out,), -radius))

    def network_input(self, x_c: Float[Tensor, "n 3"], latent: Float[Tensor, "1 l"] | None) -> Float[Tensor, "n i"]:
        """Encoded points, followed by the frame's latent code and condition where the field has them."""
        encoded = encode(x_c, self.n_octaves, self.active_bands)
        if self.latent_size == 0:
            return encoded
        if latent is None:
            raise ValueError(f"this field takes latent codes of {self.latent_size} numbers; there is none")
        return torch.cat([encoded, latent.expand(len(x_c), -1)], dim=-1)

    def forward(
        self, x_c: Float[Tensor, "n 3"], latent: Float[Tensor, "1 l"] | None = None
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n f"]]:
        """Signed distances and features."""
        output = self.layers[-1](self._last_hidden(x_c, latent))
        return output[:, 0], output[:, 1:]

    def sdf(self, x_c: Float[Tensor, "n 3"], latent: Float[Tensor, "1 l"] | None = None) -> Float[Tensor, " n"]:
        """Signed distances alone; the features' rows of the last layer are not evaluated."""
        last = self.layers[-1]
        return F.linear(self._last_hidden(x_c, latent), last.weight[:1], last.bias[:1])[:, 0]

    def with_gradient(
        self, x_c: Float[Tensor, "n 3"], latent: Float[Tensor, "1 l"] | None = None, *, features: bool = True
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n f"], Float[Tensor, "n 3"]]:
        """Signed distances, features and the distances' gradients by one hand-written reverse pass.

        Differentiable as a whole: no graph of a graph is needed for losses on the gradient. With
        `features=False` the features are zero columns wide.
        """
        value, slopes, weights = self._with_slopes(x_c, latent)
        last = self.layers[-1]
        rows = slice(None) if features else slice(0, 1)
        output = F.linear(value, last.weight[rows], last.bias[rows])
        gradient = last.weight[:1].expand(len(x_c), -1)
        by_skip = None
        for index in reversed(range(len(weights))):
            gradient = (gradient * slopes[index]) @ weights[index]
            if index in self.skip_in:
                gradient = gradient / math.sqrt(2)
                part = gradient[:, -self.d_skip :]
                by_skip = part if by_skip is None else by_skip + part
                gradient = gradient[:, : -self.d_skip]
        size = encoded_size(self.n_octaves)
        by_encoding = gradient[:, :size] if by_skip is None else gradient[:, :size] + by_skip[:, :size]
        by_point = encoding_pullback(by_encoding, x_c, self.n_octaves, self.active_bands)
        return output[:, 0], output[:, 1:], by_point

    def _last_hidden(self, x_c: Float[Tensor, "n 3"], latent: Float[Tensor, "1 l"] | None) -> Float[Tensor, "n w"]:
        """Values after the last hidden layer; those before are not kept."""
        network_input = self.network_input(x_c, latent)
        value = network_input
        for index, layer in enumerate(self.layers[:-1]):
            value = softplus(layer(self.layer_input(index, value, network_input)))
        return value

    def _with_slopes(
        self, x_c: Float[Tensor, "n 3"], latent: Float[Tensor, "1 l"] | None
    ) -> tuple[Float[Tensor, "n w"], list[Tensor], list[Tensor]]:
        """Values after the last hidden layer, the activations' slopes in each, and the layers' weights."""
        network_input = self.network_input(x_c, latent)
        value, slopes, weights = network_input, [], []
        for index, layer in enumerate(self.layers[:-1]):
            weight = layer.weight
            value, slope = softplus_and_slope(
                F.linear(self.layer_input(index, value, network_input), weight, layer.bias)
            )
            slopes.append(slope)
            weights.append(weight)
        return value, slopes, weights


class FrameSDF:
    """The signed distance under one latent code: x_c -> f, and x_c -> f and its gradient."""

    def __init__(self, geometry: Geometry, latent: Float[Tensor, "1 l"]):
        self.geometry = geometry
        self.latent = latent

    def __call__(self, x_c: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.geometry.sdf(x_c, self.latent)

    def with_gradient(self, x_c: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Signed distances and their gradients, without features."""
        sdf, _, gradient = self.geometry.with_gradient(x_c, self.latent, features=False)
        return sdf, gradient
