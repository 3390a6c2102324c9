"""A multi-resolution hash grid: features of points from tables, for what networks of coordinates learn slowly."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from imavatar.settings import LENGTH, above, between, key

PRIMES = (1, 2654435761, 805459861)
INITIAL_SPREAD = 1e-4


@dataclass(frozen=True)
class HashGridSettings:
    """Size of a hash grid; without levels there is none.

    Attributes:
        levels: grids; cells along the cube's side grow geometrically from `coarsest` to `finest`.
        log2_rows: of each table.
        features: numbers in a row.
        extent: half the side of the cube, model units. Points beyond it have the features of its nearest point.
    """

    levels: int = key(0, between(0, 32))
    log2_rows: int = key(15, between(4, 24))
    features: int = key(2, above(0, 64))
    coarsest: int = key(8, above(0, 65536))
    finest: int = key(512, above(0, 65536))
    extent: float = key(1.5, LENGTH)


class HashGrid(nn.Module):
    """Features of points of a cube: trilinear interpolation on grids of growing resolution, concatenated.

    A grid's points have rows of their own in its table where the table is large enough; else they share rows by a hash
    of their place. The points that matter lie on a surface, so few of those that share a row are ever looked up
    (Müller et al. 2022, Instant neural graphics primitives).
    """

    cells: Tensor
    corners: Tensor
    primes: Tensor
    own_rows: Tensor

    def __init__(self, settings: HashGridSettings):
        super().__init__()
        self.extent, self.n_rows, self.n_features = settings.extent, 2**settings.log2_rows, settings.features
        growth = (settings.finest / settings.coarsest) ** (1 / max(1, settings.levels - 1))
        cells = torch.tensor([round(settings.coarsest * growth**level) for level in range(settings.levels)])
        n_rows = settings.levels * self.n_rows
        self.table = nn.Parameter(INITIAL_SPREAD * (2 * torch.rand(n_rows, self.n_features) - 1))
        corners = torch.tensor([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
        # They follow from the settings, so checkpoints need not hold them.
        self.register_buffer("cells", cells, persistent=False)
        self.register_buffer("corners", corners, persistent=False)
        self.register_buffer("primes", torch.tensor(PRIMES), persistent=False)
        self.register_buffer("own_rows", (cells + 1) ** 3 <= self.n_rows, persistent=False)

    @property
    def size(self) -> int:
        """Numbers a point."""
        return len(self.cells) * self.n_features

    def forward(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n f"]:
        """Features of points; differentiable in the points too, except on the faces of the grids' cells."""
        share = (x / (2 * self.extent) + 0.5).clamp(0, 1)
        place = share[:, None] * self.cells[:, None].to(x)  # [n, levels, 3]
        low = torch.minimum(place.detach().floor().long(), self.cells[:, None] - 1)
        part = (place - low)[:, :, None]
        weights = torch.where(self.corners.bool(), part, 1 - part).prod(dim=-1)  # [n, levels, 8]
        found = F.embedding(self._rows(low[:, :, None] + self.corners), self.table)
        return (found * weights[..., None]).sum(dim=2).flatten(1)

    def _rows(self, point: Int[Tensor, "n l 8 3"]) -> Int[Tensor, "n l 8"]:
        """Where in the table the features of grid points are."""
        x, y, z = point.unbind(dim=-1)
        side = (self.cells + 1)[:, None]
        own = (x * side + y) * side + z
        hashed = (x * self.primes[0]) ^ (y * self.primes[1]) ^ (z * self.primes[2])
        row = torch.where(self.own_rows[:, None], own, hashed % self.n_rows)
        return row + self.n_rows * torch.arange(len(self.cells), device=row.device)[:, None]
