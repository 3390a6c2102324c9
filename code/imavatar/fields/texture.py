"""The texture field."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from imavatar.fields.encoding import encode, encoded_size
from imavatar.fields.hash_grid import HashGrid
from imavatar.fields.mlp import LayerStack


class Texture(LayerStack):
    """Canonical point, deformed-space normal, expression and jaw, features -> colour in [-1, 1].

    docs/method.md, section 3. The condition passes a linear bottleneck first.

    Args:
        condition_size: numbers of the expression plus 3 of the jaw's rotation.
        grid: features of the canonical point beside its encoding; not in the paper.
    """

    def __init__(
        self,
        widths: Sequence[int] = (512,) * 4,
        *,
        n_features: int = 256,
        n_octaves: int = 4,
        condition_size: int = 53,
        bottleneck: int = 8,
        weight_norm: bool = True,
        grid: HashGrid | None = None,
    ):
        d_in = encoded_size(n_octaves) + 3 + bottleneck + n_features + (0 if grid is None else grid.size)
        super().__init__(d_in, widths, 3, weight_norm=weight_norm)
        self.n_octaves = n_octaves
        self.condition_bottleneck = nn.Linear(condition_size, bottleneck)
        self.grid = grid

    @property
    def effective_parameters(self) -> list[Tensor]:
        """Everything that colours depend on besides what is seen and the condition."""
        bottleneck, tables = self.condition_bottleneck, [] if self.grid is None else [self.grid.table]
        return [*super().effective_parameters, bottleneck.weight, bottleneck.bias, *tables]

    def forward(
        self,
        x_c: Float[Tensor, "n 3"],
        normal: Float[Tensor, "n 3"],
        condition: Float[Tensor, "1 c"],
        features: Float[Tensor, "n f"],
    ) -> Float[Tensor, "n 3"]:
        """Colours of points of one frame."""
        bottleneck = self.condition_bottleneck(condition).expand(len(x_c), -1)
        found = [] if self.grid is None else [self.grid(x_c)]
        value = torch.cat([encode(x_c, self.n_octaves), normal, bottleneck, features, *found], dim=-1)
        for layer in self.layers[:-1]:
            value = F.relu(layer(value))
        return torch.tanh(self.layers[-1](value))
