"""The zero set of a signed-distance field as a triangle mesh: marching cubes on a grid that is evaluated near it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes
from torch import Tensor

from imavatar.errors import ImavatarError
from imavatar.numerics.mesh import face_areas

Field = Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]

SCAN_CELLS = 24
"""Cells along each side of the grid that looks for the surface's bounding box."""
COARSEST_CELLS = 24
"""The coarsest level of the refinement has at least as many cells along its longest side."""
BAND = 1.2
"""A cell is looked into where |f| at a corner is below slope * spacing * BAND. A surface in a cell is within
sqrt(3)/2 spacings of a corner, so the slope between grid points may be underestimated by a factor 1.4."""
LEAST_OFFSET = 1e-3
"""A vertex keeps this share of an edge between itself and a grid point; avoids slivers."""


@torch.no_grad()
def extract_isosurface(
    field: Field, *, resolution: int, bound: float, device: torch.device | str = "cpu", chunk: int = 8192
) -> tuple[Float[Tensor, "v 3"], Int[Tensor, "f 3"], float]:
    """Vertices and faces of the zero set inside the cube [-bound, bound]^3, and the spacing of the grid.

    Not differentiable. Face normals point to positive values. The mesh is closed unless the surface leaves
    the cube. A field without a zero set gives no vertices and no faces. The values of the field need not be
    distances: the band around the surface in which they are computed follows their measured slope.

    Args:
        field: maps points [n, 3] to signed distances [n], negative inside.
        resolution: cells along the longest side of the surface's bounding box.
        chunk: points evaluated at a time; bounds the memory, does not change the mesh.
    """
    if resolution < 1:
        raise ValueError(f"a mesh needs a resolution of at least 1 cell, not {resolution}")
    sample = _Sampler(field, device, chunk)
    lower = torch.full((3,), -float(bound), device=device)
    box = _find_box(sample, lower, -lower)
    if box is None:
        return lower.new_zeros(0, 3), torch.zeros(0, 3, dtype=torch.long, device=device), 0.0
    lower, extent = box[0], box[1] - box[0]
    n_levels = 0
    while resolution / 2 ** (n_levels + 1) >= COARSEST_CELLS:
        n_levels += 1
    spacing = float(extent.max()) / resolution
    coarse = spacing * 2**n_levels
    n_cells = [max(1, round(float(side) / coarse + 0.499)) for side in extent]
    lower = lower - 0.5 * (coarse * torch.tensor(n_cells, device=device) - extent)
    values = sample.grid(lower, coarse, [n + 1 for n in n_cells])
    for level in range(n_levels):
        values = _refine(sample, values, lower, coarse / 2**level)
    vertices, faces = _polygonise(values)
    return lower + spacing * vertices, faces, spacing


def largest_component(
    vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]
) -> tuple[Float[Tensor, "w 3"], Int[Tensor, "g 3"]]:
    """The connected part of a mesh with the largest area; an empty mesh stays empty."""
    if len(faces) == 0:
        return vertices, faces
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]]]).cpu().numpy()
    graph = coo_array((edges[:, 0] >= 0, (edges[:, 0], edges[:, 1])), shape=(len(vertices),) * 2)
    n_parts, label = connected_components(graph, directed=False)
    label = torch.as_tensor(label, device=faces.device).long()
    area = face_areas(vertices, faces)
    total = area.new_zeros(n_parts).index_add(0, label[faces[:, 0]], area)
    kept = label == total.argmax()
    new_index = torch.cumsum(kept, dim=0) - 1
    return vertices[kept], new_index[faces[kept[faces[:, 0]]]]


@dataclass(frozen=True)
class _Sampler:
    """Values of a field at grid points, in chunks."""

    field: Field
    device: torch.device | str
    chunk: int

    def points(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        values = torch.cat([self.field(part).reshape(-1) for part in points.split(self.chunk)])
        n_bad = int((~values.isfinite()).sum())
        if n_bad > 0:
            raise ImavatarError(
                f"the signed distance is not finite at {n_bad} of {len(values)} points: training has diverged; "
                "continue from an earlier checkpoint with a smaller learning rate"
            )
        return values.float()

    def grid(self, lower: Float[Tensor, "3"], spacing: float, shape: list[int]) -> Float[Tensor, "x y z"]:
        """Values at all points lower + spacing * index."""
        index = torch.cartesian_prod(*(torch.arange(n, device=self.device) for n in shape))
        return self.points(lower + spacing * index).reshape(shape)


def _find_box(
    sample: _Sampler, lower: Float[Tensor, "3"], upper: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]] | None:
    """A box around the zero set, found on two scanning grids: the cube's, and one in the first box."""
    for _ in range(2):
        spacing = float((upper - lower).max()) / SCAN_CELLS
        n_cells = ((upper - lower) / spacing - 1e-3).ceil().long().clamp(min=1).tolist()
        values = sample.grid(lower, spacing, [n + 1 for n in n_cells])
        cells = cells_near_zero(values).nonzero()
        if len(cells) == 0:
            return None
        last = torch.minimum(lower + spacing * (cells.amax(dim=0) + 1), upper)
        lower, upper = lower + spacing * cells.amin(dim=0), last
    return lower, upper


def cells_near_zero(values: Float[Tensor, "x y z"]) -> Bool[Tensor, "x-1 y-1 z-1"]:
    """Cells of a grid in which the field may vanish, judged by its corners and the slope around it.

    Independent of the grid's spacing and of a factor on the values: the slope is the difference a cell.
    """
    volume = values[None, None]
    highest, lowest = F.max_pool3d(volume, 2, 1), -F.max_pool3d(-volume, 2, 1)
    nearest = -F.max_pool3d(-volume.abs(), 2, 1)
    squared = torch.zeros_like(nearest)
    for axis in range(3):
        difference = values.diff(dim=axis).abs()[None, None]
        window = [2, 2, 2]
        window[axis] = 1
        squared += F.max_pool3d(difference, window, 1).square()
    slope = F.max_pool3d(squared.sqrt(), 3, 1, padding=1)
    slope = slope.clamp(min=0.5 * float(slope.median()))
    near = (nearest <= BAND * slope) | ((lowest <= 0) & (highest >= 0))
    return near[0, 0]


def _refine(
    sample: _Sampler, values: Float[Tensor, "x y z"], lower: Float[Tensor, "3"], spacing: float
) -> Float[Tensor, "2*x-1 2*y-1 2*z-1"]:
    """The grid at half the spacing: evaluated in the cells near zero, interpolated elsewhere.

    Interpolation joins both parts without a jump, so that no surface ends where the evaluated cells do.
    """
    near = cells_near_zero(values)
    shape = [2 * n - 1 for n in values.shape]
    fine = F.interpolate(values[None, None], size=shape, mode="trilinear", align_corners=True)[0, 0]
    fine_cells = near.repeat_interleave(2, 0).repeat_interleave(2, 1).repeat_interleave(2, 2)
    padded = F.pad(fine_cells[None, None].float(), (1,) * 6)
    wanted = F.max_pool3d(padded, 2, 1)[0, 0] > 0  # all corners of the cells near zero
    wanted[::2, ::2, ::2] = False  # known from the coarser level
    index = wanted.nonzero()
    if len(index) > 0:
        fine[wanted] = sample.points(lower + 0.5 * spacing * index)
    return fine


def _polygonise(values: Float[Tensor, "x y z"]) -> tuple[Float[Tensor, "v 3"], Int[Tensor, "f 3"]]:
    """Marching cubes; vertices in units of grid points."""
    if not (values.min() < 0 < values.max()):
        return values.new_zeros(0, 3), torch.zeros(0, 3, dtype=torch.long, device=values.device)
    slope = torch.stack([values.diff(dim=axis).abs().mean() for axis in range(3)]).max()
    floor = (LEAST_OFFSET * slope).clamp(min=torch.finfo(values.dtype).tiny)
    away = torch.where(values < 0, -floor, floor)
    volume = torch.where(values.abs() < floor, away, values)
    vertices, faces, _, _ = marching_cubes(volume.cpu().numpy(), level=0.0, gradient_direction="descent")
    vertices = torch.as_tensor(vertices.copy()).to(values)
    return vertices, torch.as_tensor(faces.copy()).long().to(values.device)
